using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Cpu.Gemm;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>norms[n] = ||W[n, :] + scale * B[n, :]·A||: rows are decoded into scratch, the adapter's part added, and the squares summed.</summary>
internal sealed unsafe class AdaptedNormWork : ParallelRange
{
    private const int ElementsPerTurn = 65536;
    private const int RowsTogether = 4;
    private const int ColumnsTogether = 32;

    private RightOperand _weight;
    private float* _a;
    private float* _b;
    private int _rank;
    private float _scale;
    private float* _norms;
    private float* _scratch;
    private nint _scratchStride;

    /// <param name="team">The threads.</param>
    /// <param name="memory">Where a decoded row for each of them comes from.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="a">[rank, inputs].</param>
    /// <param name="b">[outputs, rank].</param>
    /// <param name="rank">The rank.</param>
    /// <param name="scale">Factor of the adapter.</param>
    /// <param name="norms">[outputs].</param>
    public void Run(ThreadTeam team, MemoryPool memory, in RightOperand weight, float* a, float* b, int rank, float scale, float* norms)
    {
        _weight = weight;
        _a = a;
        _b = b;
        _rank = rank;
        _scale = scale;
        _norms = norms;
        _scratchStride = (weight.Columns + RowDecoder.Overrun + 15) / 16 * 16;
        DeviceBuffer scratch = memory.Rent(team.Size * RowsTogether * _scratchStride * sizeof(float), MemoryPurpose.Workspace);
        _scratch = (float*)scratch.Address;
        int items = (weight.Rows + RowsTogether - 1) / RowsTogether;
        Start(team, items, ElementsPerTurn / Math.Max(1, RowsTogether * weight.Columns));
        scratch.Release();
    }

    protected override void Execute(int first, int end, int member)
    {
        int columns = _weight.Columns;
        int whole = columns / ColumnsTogether * ColumnsTogether;
        float* values = _scratch + member * RowsTogether * _scratchStride;
        for (int row = first * RowsTogether; row < Math.Min(_weight.Rows, end * RowsTogether); row += RowsTogether)
        {
            int rows = Math.Min(RowsTogether, _weight.Rows - row);
            for (int i = 0; i < rows; i++)
            {
                RowDecoder.Decode(_weight, row + i, 0, columns, values + i * _scratchStride);
            }

            int added = rows == RowsTogether ? whole : 0;
            if (added > 0)
            {
                AddTogether(_b + (nint)row * _rank, added, values);
            }

            for (int i = 0; i < rows; i++)
            {
                float* to = values + i * _scratchStride;
                for (int k = 0; k < _rank && added < columns; k++)
                {
                    AddScaled(_a + (nint)k * columns + added, _scale * _b[(nint)(row + i) * _rank + k], columns - added, to + added);
                }

                _norms[row + i] = MathF.Sqrt(SumOfSquares(to, columns));
            }
        }
    }

    /// <summary>Adds the adapter's part to four decoded rows, 32 columns at a time, so that what is loaded of A serves four times.</summary>
    private void AddTogether(float* b, int columns, float* values)
    {
        float* row0 = values;
        float* row1 = row0 + _scratchStride;
        float* row2 = row1 + _scratchStride;
        float* row3 = row2 + _scratchStride;
        for (int column = 0; column < columns; column += ColumnsTogether)
        {
            Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default;
            Vector512<float> c20 = default, c21 = default, c30 = default, c31 = default;
            float* a = _a + column;
            for (int k = 0; k < _rank; k++, a += _weight.Columns)
            {
                Vector512<float> a0 = Vector512.Load(a), a1 = Vector512.Load(a + 16);
                Vector512<float> factor = Vector512.Create(b[k]);
                c00 = Vector512.MultiplyAddEstimate(a0, factor, c00);
                c01 = Vector512.MultiplyAddEstimate(a1, factor, c01);
                factor = Vector512.Create(b[_rank + k]);
                c10 = Vector512.MultiplyAddEstimate(a0, factor, c10);
                c11 = Vector512.MultiplyAddEstimate(a1, factor, c11);
                factor = Vector512.Create(b[2 * _rank + k]);
                c20 = Vector512.MultiplyAddEstimate(a0, factor, c20);
                c21 = Vector512.MultiplyAddEstimate(a1, factor, c21);
                factor = Vector512.Create(b[3 * _rank + k]);
                c30 = Vector512.MultiplyAddEstimate(a0, factor, c30);
                c31 = Vector512.MultiplyAddEstimate(a1, factor, c31);
            }

            AddScaled(c00, c01, row0 + column);
            AddScaled(c10, c11, row1 + column);
            AddScaled(c20, c21, row2 + column);
            AddScaled(c30, c31, row3 + column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddScaled(Vector512<float> first, Vector512<float> second, float* to)
    {
        (Vector512.Load(to) + first * _scale).Store(to);
        (Vector512.Load(to + 16) + second * _scale).Store(to + 16);
    }

    private static void AddScaled(float* from, float factor, int count, float* to)
    {
        int done = 0;
        for (; Vector256.IsHardwareAccelerated && done + 8 <= count; done += 8)
        {
            Vector256.MultiplyAddEstimate(Vector256.Load(from + done), Vector256.Create(factor), Vector256.Load(to + done)).Store(to + done);
        }

        for (; done < count; done++)
        {
            to[done] += from[done] * factor;
        }
    }

    private static float SumOfSquares(float* values, int count)
    {
        Vector256<float> even = default, odd = default;
        int done = 0;
        for (; Vector256.IsHardwareAccelerated && done + 16 <= count; done += 16)
        {
            Vector256<float> a = Vector256.Load(values + done), b = Vector256.Load(values + done + 8);
            even += a * a;
            odd += b * b;
        }

        float sum = Vector256.Sum(even + odd);
        for (; done < count; done++)
        {
            sum += values[done] * values[done];
        }

        return sum;
    }
}
