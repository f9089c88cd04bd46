using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>The products of <see cref="AttentionTile"/> for processors with 256-bit vectors or less, in parts of 4 x 16.</summary>
internal static unsafe class PortableTile
{
    private const int Rows = 4;
    private const int Columns = 16;

    public static void Multiply(
        int rows, int columns, nint steps, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, float* start, nint startRow)
    {
        for (int i = 0; i < rows; i += Rows)
        {
            for (int j = 0; j < columns; j += Columns)
            {
                Part(steps, a + i * aRow, aRow, aStep, b + j, bStep, c + i * cRow + j, cRow, start + i * startRow + j, startRow);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part(
        nint steps, float* a, nint aRow, nint aStep, float* b, nint bStep, float* c, nint cRow, float* start, nint startRow)
    {
        Vector256<float> c00 = Vector256.Load(start), c01 = Vector256.Load(start + 8);
        start += startRow;
        Vector256<float> c10 = Vector256.Load(start), c11 = Vector256.Load(start + 8);
        start += startRow;
        Vector256<float> c20 = Vector256.Load(start), c21 = Vector256.Load(start + 8);
        start += startRow;
        Vector256<float> c30 = Vector256.Load(start), c31 = Vector256.Load(start + 8);
        for (; steps > 0; steps--)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Vector256<float> x = Vector256.Create(a[0]);
            c00 = Vector256.MultiplyAddEstimate(x, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(x, b1, c01);
            x = Vector256.Create(a[aRow]);
            c10 = Vector256.MultiplyAddEstimate(x, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(x, b1, c11);
            x = Vector256.Create(a[2 * aRow]);
            c20 = Vector256.MultiplyAddEstimate(x, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(x, b1, c21);
            x = Vector256.Create(a[3 * aRow]);
            c30 = Vector256.MultiplyAddEstimate(x, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(x, b1, c31);
            a += aStep;
            b += bStep;
        }

        c00.Store(c);
        c01.Store(c + 8);
        c += cRow;
        c10.Store(c);
        c11.Store(c + 8);
        c += cRow;
        c20.Store(c);
        c21.Store(c + 8);
        c += cRow;
        c30.Store(c);
        c31.Store(c + 8);
    }
}
