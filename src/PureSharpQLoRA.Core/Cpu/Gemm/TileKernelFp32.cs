using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The fp32 tile product in plain C#. The 24 accumulators, three right-hand vectors and one broadcast fill 28 of the 32 AVX-512 registers;
/// they are locals (never an array) so that the compiler keeps each of them in a register for the whole loop.
/// </summary>
internal sealed unsafe class TileKernelFp32 : TileKernel
{
    public override bool IsBf16 => false;

    public override void Run(in TileCall call)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            PortableTile.Run(call);
        }
        else if (call.Narrow)
        {
            RunNarrow(call.Steps, call.Left, call.Right, call.Output, call.OutputStride, call.Scale, call.Accumulate != 0);
        }
        else
        {
            RunWide(call.Steps, call.Left, call.Right, call.Output, call.OutputStride, call.Scale, call.Accumulate != 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunWide(nint steps, float* a, float* b, float* output, nint stride, float scale, bool accumulate)
    {
        Vector512<float> c00 = default, c01 = default, c02 = default;
        Vector512<float> c10 = default, c11 = default, c12 = default;
        Vector512<float> c20 = default, c21 = default, c22 = default;
        Vector512<float> c30 = default, c31 = default, c32 = default;
        Vector512<float> c40 = default, c41 = default, c42 = default;
        Vector512<float> c50 = default, c51 = default, c52 = default;
        Vector512<float> c60 = default, c61 = default, c62 = default;
        Vector512<float> c70 = default, c71 = default, c72 = default;
        for (; steps > 0; steps--)
        {
            Vector512<float> b0 = Vector512.LoadAligned(b);
            Vector512<float> b1 = Vector512.LoadAligned(b + 16);
            Vector512<float> b2 = Vector512.LoadAligned(b + 32);
            Vector512<float> x;
            x = Vector512.Create(a[0]);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            c02 = Vector512.FusedMultiplyAdd(x, b2, c02);
            x = Vector512.Create(a[1]);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            c12 = Vector512.FusedMultiplyAdd(x, b2, c12);
            x = Vector512.Create(a[2]);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            c22 = Vector512.FusedMultiplyAdd(x, b2, c22);
            x = Vector512.Create(a[3]);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            c32 = Vector512.FusedMultiplyAdd(x, b2, c32);
            x = Vector512.Create(a[4]);
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
            c42 = Vector512.FusedMultiplyAdd(x, b2, c42);
            x = Vector512.Create(a[5]);
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
            c52 = Vector512.FusedMultiplyAdd(x, b2, c52);
            x = Vector512.Create(a[6]);
            c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
            c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
            c62 = Vector512.FusedMultiplyAdd(x, b2, c62);
            x = Vector512.Create(a[7]);
            c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
            c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
            c72 = Vector512.FusedMultiplyAdd(x, b2, c72);
            a += Tile.Rows;
            b += Tile.Columns;
        }

        Vector512<float> factor = Vector512.Create(scale);
        if (accumulate)
        {
            AddRow(output + 0 * stride, c00, c01, c02, factor);
            AddRow(output + 1 * stride, c10, c11, c12, factor);
            AddRow(output + 2 * stride, c20, c21, c22, factor);
            AddRow(output + 3 * stride, c30, c31, c32, factor);
            AddRow(output + 4 * stride, c40, c41, c42, factor);
            AddRow(output + 5 * stride, c50, c51, c52, factor);
            AddRow(output + 6 * stride, c60, c61, c62, factor);
            AddRow(output + 7 * stride, c70, c71, c72, factor);
        }
        else
        {
            SetRow(output + 0 * stride, c00, c01, c02, factor);
            SetRow(output + 1 * stride, c10, c11, c12, factor);
            SetRow(output + 2 * stride, c20, c21, c22, factor);
            SetRow(output + 3 * stride, c30, c31, c32, factor);
            SetRow(output + 4 * stride, c40, c41, c42, factor);
            SetRow(output + 5 * stride, c50, c51, c52, factor);
            SetRow(output + 6 * stride, c60, c61, c62, factor);
            SetRow(output + 7 * stride, c70, c71, c72, factor);
        }
    }

    /// <summary>The first 16 columns only, for the low-rank side of an adapter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunNarrow(nint steps, float* a, float* b, float* output, nint stride, float scale, bool accumulate)
    {
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default;
        Vector512<float> c4 = default, c5 = default, c6 = default, c7 = default;
        for (; steps > 0; steps--)
        {
            Vector512<float> x = Vector512.LoadAligned(b);
            c0 = Vector512.FusedMultiplyAdd(Vector512.Create(a[0]), x, c0);
            c1 = Vector512.FusedMultiplyAdd(Vector512.Create(a[1]), x, c1);
            c2 = Vector512.FusedMultiplyAdd(Vector512.Create(a[2]), x, c2);
            c3 = Vector512.FusedMultiplyAdd(Vector512.Create(a[3]), x, c3);
            c4 = Vector512.FusedMultiplyAdd(Vector512.Create(a[4]), x, c4);
            c5 = Vector512.FusedMultiplyAdd(Vector512.Create(a[5]), x, c5);
            c6 = Vector512.FusedMultiplyAdd(Vector512.Create(a[6]), x, c6);
            c7 = Vector512.FusedMultiplyAdd(Vector512.Create(a[7]), x, c7);
            a += Tile.Rows;
            b += Tile.Columns;
        }

        Vector512<float> factor = Vector512.Create(scale);
        StoreNarrow(output + 0 * stride, c0, factor, accumulate);
        StoreNarrow(output + 1 * stride, c1, factor, accumulate);
        StoreNarrow(output + 2 * stride, c2, factor, accumulate);
        StoreNarrow(output + 3 * stride, c3, factor, accumulate);
        StoreNarrow(output + 4 * stride, c4, factor, accumulate);
        StoreNarrow(output + 5 * stride, c5, factor, accumulate);
        StoreNarrow(output + 6 * stride, c6, factor, accumulate);
        StoreNarrow(output + 7 * stride, c7, factor, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow(float* row, Vector512<float> c0, Vector512<float> c1, Vector512<float> c2, Vector512<float> factor)
    {
        Vector512.FusedMultiplyAdd(c0, factor, Vector512.Load(row)).Store(row);
        Vector512.FusedMultiplyAdd(c1, factor, Vector512.Load(row + 16)).Store(row + 16);
        Vector512.FusedMultiplyAdd(c2, factor, Vector512.Load(row + 32)).Store(row + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetRow(float* row, Vector512<float> c0, Vector512<float> c1, Vector512<float> c2, Vector512<float> factor)
    {
        (c0 * factor).Store(row);
        (c1 * factor).Store(row + 16);
        (c2 * factor).Store(row + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreNarrow(float* row, Vector512<float> c, Vector512<float> factor, bool accumulate) =>
        (accumulate ? Vector512.FusedMultiplyAdd(c, factor, Vector512.Load(row)) : c * factor).Store(row);
}
