using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// Small fp32 tile products for operands that lie where they are:
/// c[i][j] = start[i][j] + sum over s of a[i * aRow + s * aStep] * b[s * bStep + j]. The two strides of a choose between a matrix
/// and its transpose; start may be c itself to add to it, or one row for all with a startRow of 0. The accumulators are
/// named locals because only those stay in registers.
/// </summary>
internal static unsafe class AttentionTile
{
    /// <summary>8 rows of 32 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply8x32(
        nint steps, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, float* start, nint startRow)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            PortableTile.Multiply(8, 32, steps, a, aRow, aStep, b, bStep, c, cRow, start, startRow);
            return;
        }

        Vector512<float> c00 = Vector512.Load(start);
        Vector512<float> c01 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c10 = Vector512.Load(start);
        Vector512<float> c11 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c20 = Vector512.Load(start);
        Vector512<float> c21 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c30 = Vector512.Load(start);
        Vector512<float> c31 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c40 = Vector512.Load(start);
        Vector512<float> c41 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c50 = Vector512.Load(start);
        Vector512<float> c51 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c60 = Vector512.Load(start);
        Vector512<float> c61 = Vector512.Load(start + 16);
        start += startRow;
        Vector512<float> c70 = Vector512.Load(start);
        Vector512<float> c71 = Vector512.Load(start + 16);
        float* a4 = a + 4 * aRow;
        nint aRow3 = 3 * aRow;
        for (; steps > 0; steps--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + 16);
            Vector512<float> x;
            x = Vector512.Create(a[0]);
            c00 = Vector512.MultiplyAddEstimate(x, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(x, b1, c01);
            x = Vector512.Create(a[aRow]);
            c10 = Vector512.MultiplyAddEstimate(x, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(x, b1, c11);
            x = Vector512.Create(a[2 * aRow]);
            c20 = Vector512.MultiplyAddEstimate(x, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(x, b1, c21);
            x = Vector512.Create(a[aRow3]);
            c30 = Vector512.MultiplyAddEstimate(x, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(x, b1, c31);
            x = Vector512.Create(a4[0]);
            c40 = Vector512.MultiplyAddEstimate(x, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(x, b1, c41);
            x = Vector512.Create(a4[aRow]);
            c50 = Vector512.MultiplyAddEstimate(x, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(x, b1, c51);
            x = Vector512.Create(a4[2 * aRow]);
            c60 = Vector512.MultiplyAddEstimate(x, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(x, b1, c61);
            x = Vector512.Create(a4[aRow3]);
            c70 = Vector512.MultiplyAddEstimate(x, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(x, b1, c71);
            a += aStep;
            a4 += aStep;
            b += bStep;
        }

        c00.Store(c);
        c01.Store(c + 16);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 16);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 16);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 16);
        c += cRow;
        c40.Store(c);
        c41.Store(c + 16);
        c += cRow;
        c50.Store(c);
        c51.Store(c + 16);
        c += cRow;
        c60.Store(c);
        c61.Store(c + 16);
        c += cRow;
        c70.Store(c);
        c71.Store(c + 16);
    }

    /// <summary>8 rows of 48 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply8x48(
        nint steps, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, float* start, nint startRow)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            PortableTile.Multiply(8, 48, steps, a, aRow, aStep, b, bStep, c, cRow, start, startRow);
            return;
        }

        Vector512<float> c00 = Vector512.Load(start);
        Vector512<float> c01 = Vector512.Load(start + 16);
        Vector512<float> c02 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c10 = Vector512.Load(start);
        Vector512<float> c11 = Vector512.Load(start + 16);
        Vector512<float> c12 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c20 = Vector512.Load(start);
        Vector512<float> c21 = Vector512.Load(start + 16);
        Vector512<float> c22 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c30 = Vector512.Load(start);
        Vector512<float> c31 = Vector512.Load(start + 16);
        Vector512<float> c32 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c40 = Vector512.Load(start);
        Vector512<float> c41 = Vector512.Load(start + 16);
        Vector512<float> c42 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c50 = Vector512.Load(start);
        Vector512<float> c51 = Vector512.Load(start + 16);
        Vector512<float> c52 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c60 = Vector512.Load(start);
        Vector512<float> c61 = Vector512.Load(start + 16);
        Vector512<float> c62 = Vector512.Load(start + 32);
        start += startRow;
        Vector512<float> c70 = Vector512.Load(start);
        Vector512<float> c71 = Vector512.Load(start + 16);
        Vector512<float> c72 = Vector512.Load(start + 32);
        float* a4 = a + 4 * aRow;
        nint aRow3 = 3 * aRow;
        for (; steps > 0; steps--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + 16);
            Vector512<float> b2 = Vector512.Load(b + 32);
            Vector512<float> x;
            x = Vector512.Create(a[0]);
            c00 = Vector512.MultiplyAddEstimate(x, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(x, b1, c01);
            c02 = Vector512.MultiplyAddEstimate(x, b2, c02);
            x = Vector512.Create(a[aRow]);
            c10 = Vector512.MultiplyAddEstimate(x, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(x, b1, c11);
            c12 = Vector512.MultiplyAddEstimate(x, b2, c12);
            x = Vector512.Create(a[2 * aRow]);
            c20 = Vector512.MultiplyAddEstimate(x, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(x, b1, c21);
            c22 = Vector512.MultiplyAddEstimate(x, b2, c22);
            x = Vector512.Create(a[aRow3]);
            c30 = Vector512.MultiplyAddEstimate(x, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(x, b1, c31);
            c32 = Vector512.MultiplyAddEstimate(x, b2, c32);
            x = Vector512.Create(a4[0]);
            c40 = Vector512.MultiplyAddEstimate(x, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(x, b1, c41);
            c42 = Vector512.MultiplyAddEstimate(x, b2, c42);
            x = Vector512.Create(a4[aRow]);
            c50 = Vector512.MultiplyAddEstimate(x, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(x, b1, c51);
            c52 = Vector512.MultiplyAddEstimate(x, b2, c52);
            x = Vector512.Create(a4[2 * aRow]);
            c60 = Vector512.MultiplyAddEstimate(x, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(x, b1, c61);
            c62 = Vector512.MultiplyAddEstimate(x, b2, c62);
            x = Vector512.Create(a4[aRow3]);
            c70 = Vector512.MultiplyAddEstimate(x, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(x, b1, c71);
            c72 = Vector512.MultiplyAddEstimate(x, b2, c72);
            a += aStep;
            a4 += aStep;
            b += bStep;
        }

        c00.Store(c);
        c01.Store(c + 16);
        c02.Store(c + 32);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 16);
        c12.Store(c + 32);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 16);
        c22.Store(c + 32);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 16);
        c32.Store(c + 32);
        c += cRow;
        c40.Store(c);
        c41.Store(c + 16);
        c42.Store(c + 32);
        c += cRow;
        c50.Store(c);
        c51.Store(c + 16);
        c52.Store(c + 32);
        c += cRow;
        c60.Store(c);
        c61.Store(c + 16);
        c62.Store(c + 32);
        c += cRow;
        c70.Store(c);
        c71.Store(c + 16);
        c72.Store(c + 32);
    }

    /// <summary>16 rows of 16 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply16x16(
        nint steps, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, float* start, nint startRow)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            PortableTile.Multiply(16, 16, steps, a, aRow, aStep, b, bStep, c, cRow, start, startRow);
            return;
        }

        Vector512<float> c00 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c10 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c20 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c30 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c40 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c50 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c60 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c70 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c80 = Vector512.Load(start);
        start += startRow;
        Vector512<float> c90 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cA0 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cB0 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cC0 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cD0 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cE0 = Vector512.Load(start);
        start += startRow;
        Vector512<float> cF0 = Vector512.Load(start);
        float* a4 = a + 4 * aRow;
        float* a8 = a + 8 * aRow;
        float* aC = a + 12 * aRow;
        nint aRow3 = 3 * aRow;
        for (; steps > 0; steps--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> x;
            x = Vector512.Create(a[0]);
            c00 = Vector512.MultiplyAddEstimate(x, b0, c00);
            x = Vector512.Create(a[aRow]);
            c10 = Vector512.MultiplyAddEstimate(x, b0, c10);
            x = Vector512.Create(a[2 * aRow]);
            c20 = Vector512.MultiplyAddEstimate(x, b0, c20);
            x = Vector512.Create(a[aRow3]);
            c30 = Vector512.MultiplyAddEstimate(x, b0, c30);
            x = Vector512.Create(a4[0]);
            c40 = Vector512.MultiplyAddEstimate(x, b0, c40);
            x = Vector512.Create(a4[aRow]);
            c50 = Vector512.MultiplyAddEstimate(x, b0, c50);
            x = Vector512.Create(a4[2 * aRow]);
            c60 = Vector512.MultiplyAddEstimate(x, b0, c60);
            x = Vector512.Create(a4[aRow3]);
            c70 = Vector512.MultiplyAddEstimate(x, b0, c70);
            x = Vector512.Create(a8[0]);
            c80 = Vector512.MultiplyAddEstimate(x, b0, c80);
            x = Vector512.Create(a8[aRow]);
            c90 = Vector512.MultiplyAddEstimate(x, b0, c90);
            x = Vector512.Create(a8[2 * aRow]);
            cA0 = Vector512.MultiplyAddEstimate(x, b0, cA0);
            x = Vector512.Create(a8[aRow3]);
            cB0 = Vector512.MultiplyAddEstimate(x, b0, cB0);
            x = Vector512.Create(aC[0]);
            cC0 = Vector512.MultiplyAddEstimate(x, b0, cC0);
            x = Vector512.Create(aC[aRow]);
            cD0 = Vector512.MultiplyAddEstimate(x, b0, cD0);
            x = Vector512.Create(aC[2 * aRow]);
            cE0 = Vector512.MultiplyAddEstimate(x, b0, cE0);
            x = Vector512.Create(aC[aRow3]);
            cF0 = Vector512.MultiplyAddEstimate(x, b0, cF0);
            a += aStep;
            a4 += aStep;
            a8 += aStep;
            aC += aStep;
            b += bStep;
        }

        c00.Store(c);
        c += cRow;
        c10.Store(c);
        c += cRow;
        c20.Store(c);
        c += cRow;
        c30.Store(c);
        c += cRow;
        c40.Store(c);
        c += cRow;
        c50.Store(c);
        c += cRow;
        c60.Store(c);
        c += cRow;
        c70.Store(c);
        c += cRow;
        c80.Store(c);
        c += cRow;
        c90.Store(c);
        c += cRow;
        cA0.Store(c);
        c += cRow;
        cB0.Store(c);
        c += cRow;
        cC0.Store(c);
        c += cRow;
        cD0.Store(c);
        c += cRow;
        cE0.Store(c);
        c += cRow;
        cF0.Store(c);
    }
}
