using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Cpu.Gemm;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>norms[n] = ||W[n, :] + scale * B[n, :]·A||: each row is decoded into scratch, the adapter's part added, and the squares summed.</summary>
internal sealed unsafe class AdaptedNormWork : ParallelRange
{
    private const int ElementsPerTurn = 65536;

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
        DeviceBuffer scratch = memory.Rent(team.Size * _scratchStride * sizeof(float), MemoryPurpose.Workspace);
        _scratch = (float*)scratch.Address;
        Start(team, weight.Rows, ElementsPerTurn / Math.Max(1, weight.Columns));
        scratch.Release();
    }

    protected override void Execute(int first, int end, int member)
    {
        float* values = _scratch + member * _scratchStride;
        for (int row = first; row < end; row++)
        {
            RowDecoder.Decode(_weight, row, 0, _weight.Columns, values);
            for (int i = 0; i < _rank; i++)
            {
                AddScaled(_a + (nint)i * _weight.Columns, _scale * _b[(nint)row * _rank + i], _weight.Columns, values);
            }

            _norms[row] = MathF.Sqrt(SumOfSquares(values, _weight.Columns));
        }
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
