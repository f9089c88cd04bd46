using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The fp32 tile product for processors without AVX-512: in parts of 4 x 24 with 256-bit vectors, which fill the 16 registers, of 4 x 4 with
/// 128-bit ones, else one element at a time.
/// </summary>
internal static unsafe class PortableTile
{
    public static void Run(in TileCall call)
    {
        int columns = call.Narrow ? Tile.NarrowColumns : Tile.Columns;
        for (int row = 0; row < Tile.Rows; row += 4)
        {
            int column = 0;
            if (Vector256.IsHardwareAccelerated)
            {
                for (; column + 24 <= columns; column += 24)
                {
                    RunPart256(call, row, column);
                }

                for (; column + 8 <= columns; column += 8)
                {
                    RunStrip256(call, row, column);
                }
            }
            else if (Vector128.IsHardwareAccelerated)
            {
                for (; column + 4 <= columns; column += 4)
                {
                    RunStrip128(call, row, column);
                }
            }

            for (; column < columns; column++)
            {
                RunScalar(call, row, column);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunPart256(in TileCall call, int row, int column)
    {
        Vector256<float> c00 = default, c01 = default, c02 = default;
        Vector256<float> c10 = default, c11 = default, c12 = default;
        Vector256<float> c20 = default, c21 = default, c22 = default;
        Vector256<float> c30 = default, c31 = default, c32 = default;
        float* a = call.Left + row;
        float* b = call.Right + column;
        for (nint steps = call.Steps; steps > 0; steps--)
        {
            Vector256<float> b0 = Vector256.Load(b);
            Vector256<float> b1 = Vector256.Load(b + 8);
            Vector256<float> b2 = Vector256.Load(b + 16);
            Vector256<float> x;
            x = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            c02 = Vector256.FusedMultiplyAdd(x, b2, c02);
            x = Vector256.Create(a[1]);
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            c12 = Vector256.FusedMultiplyAdd(x, b2, c12);
            x = Vector256.Create(a[2]);
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            c22 = Vector256.FusedMultiplyAdd(x, b2, c22);
            x = Vector256.Create(a[3]);
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
            c32 = Vector256.FusedMultiplyAdd(x, b2, c32);
            a += Tile.Rows;
            b += Tile.Columns;
        }

        float* output = call.Output + row * call.OutputStride + column;
        Store256(call, output + 0 * call.OutputStride, c00);
        Store256(call, output + 0 * call.OutputStride + 8, c01);
        Store256(call, output + 0 * call.OutputStride + 16, c02);
        Store256(call, output + 1 * call.OutputStride, c10);
        Store256(call, output + 1 * call.OutputStride + 8, c11);
        Store256(call, output + 1 * call.OutputStride + 16, c12);
        Store256(call, output + 2 * call.OutputStride, c20);
        Store256(call, output + 2 * call.OutputStride + 8, c21);
        Store256(call, output + 2 * call.OutputStride + 16, c22);
        Store256(call, output + 3 * call.OutputStride, c30);
        Store256(call, output + 3 * call.OutputStride + 8, c31);
        Store256(call, output + 3 * call.OutputStride + 16, c32);
    }

    private static void RunStrip256(in TileCall call, int row, int column)
    {
        Vector256<float> c0 = default, c1 = default, c2 = default, c3 = default;
        float* a = call.Left + row;
        float* b = call.Right + column;
        for (nint steps = call.Steps; steps > 0; steps--)
        {
            Vector256<float> x = Vector256.Load(b);
            c0 = Vector256.FusedMultiplyAdd(Vector256.Create(a[0]), x, c0);
            c1 = Vector256.FusedMultiplyAdd(Vector256.Create(a[1]), x, c1);
            c2 = Vector256.FusedMultiplyAdd(Vector256.Create(a[2]), x, c2);
            c3 = Vector256.FusedMultiplyAdd(Vector256.Create(a[3]), x, c3);
            a += Tile.Rows;
            b += Tile.Columns;
        }

        float* output = call.Output + row * call.OutputStride + column;
        Store256(call, output, c0);
        Store256(call, output + call.OutputStride, c1);
        Store256(call, output + 2 * call.OutputStride, c2);
        Store256(call, output + 3 * call.OutputStride, c3);
    }

    private static void RunStrip128(in TileCall call, int row, int column)
    {
        Vector128<float> c0 = default, c1 = default, c2 = default, c3 = default;
        float* a = call.Left + row;
        float* b = call.Right + column;
        for (nint steps = call.Steps; steps > 0; steps--)
        {
            Vector128<float> x = Vector128.Load(b);
            c0 = Vector128.MultiplyAddEstimate(Vector128.Create(a[0]), x, c0);
            c1 = Vector128.MultiplyAddEstimate(Vector128.Create(a[1]), x, c1);
            c2 = Vector128.MultiplyAddEstimate(Vector128.Create(a[2]), x, c2);
            c3 = Vector128.MultiplyAddEstimate(Vector128.Create(a[3]), x, c3);
            a += Tile.Rows;
            b += Tile.Columns;
        }

        float* output = call.Output + row * call.OutputStride + column;
        Store128(call, output, c0);
        Store128(call, output + call.OutputStride, c1);
        Store128(call, output + 2 * call.OutputStride, c2);
        Store128(call, output + 3 * call.OutputStride, c3);
    }

    private static void RunScalar(in TileCall call, int row, int column)
    {
        for (int i = row; i < row + 4; i++)
        {
            float sum = 0;
            for (nint step = 0; step < call.Steps; step++)
            {
                sum += call.Left[step * Tile.Rows + i] * call.Right[step * Tile.Columns + column];
            }

            float* target = call.Output + i * call.OutputStride + column;
            *target = call.Accumulate != 0 ? *target + call.Scale * sum : call.Scale * sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store256(in TileCall call, float* to, Vector256<float> sum)
    {
        Vector256<float> scaled = sum * call.Scale;
        (call.Accumulate != 0 ? Vector256.Load(to) + scaled : scaled).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store128(in TileCall call, float* to, Vector128<float> sum)
    {
        Vector128<float> scaled = sum * call.Scale;
        (call.Accumulate != 0 ? Vector128.Load(to) + scaled : scaled).Store(to);
    }
}
