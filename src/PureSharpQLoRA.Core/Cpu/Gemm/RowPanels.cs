using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Packs rows of a row-major fp32 matrix as the panels that tiles read from the left: for every step the units of 8 rows.</summary>
internal static unsafe class RowPanels
{
    /// <summary>Eight rows become a panel, over a part of the reduction. Rows that do not exist repeat the last: their products are never stored.</summary>
    /// <param name="rows">The first value of the first row.</param>
    /// <param name="stride">Values from a row to the next.</param>
    /// <param name="last">The index of the last row that exists, at most 7.</param>
    /// <param name="count">Values of each row.</param>
    /// <param name="bf16">Packs pairs of bf16.</param>
    /// <param name="to">The panel.</param>
    public static void Pack(float* rows, nint stride, int last, int count, bool bf16, float* to)
    {
        float* row0 = rows;
        float* row1 = row0 + Math.Min(1, last) * stride;
        float* row2 = row0 + Math.Min(2, last) * stride;
        float* row3 = row0 + Math.Min(3, last) * stride;
        float* row4 = row0 + Math.Min(4, last) * stride;
        float* row5 = row0 + Math.Min(5, last) * stride;
        float* row6 = row0 + Math.Min(6, last) * stride;
        float* row7 = row0 + Math.Min(7, last) * stride;
        int done = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            int block = bf16 ? 16 : 8;
            for (; done + block <= count; done += block, to += 8 * Tile.Rows)
            {
                Transpose8x8.Store(
                    UnitTranspose.Units(row0 + done, bf16), UnitTranspose.Units(row1 + done, bf16),
                    UnitTranspose.Units(row2 + done, bf16), UnitTranspose.Units(row3 + done, bf16),
                    UnitTranspose.Units(row4 + done, bf16), UnitTranspose.Units(row5 + done, bf16),
                    UnitTranspose.Units(row6 + done, bf16), UnitTranspose.Units(row7 + done, bf16),
                    to, Tile.Rows);
            }
        }

        for (; done < count; done += bf16 ? 2 : 1, to += Tile.Rows)
        {
            bool hasSecond = bf16 && done + 1 < count;
            to[0] = Unit(row0 + done, bf16, hasSecond);
            to[1] = Unit(row1 + done, bf16, hasSecond);
            to[2] = Unit(row2 + done, bf16, hasSecond);
            to[3] = Unit(row3 + done, bf16, hasSecond);
            to[4] = Unit(row4 + done, bf16, hasSecond);
            to[5] = Unit(row5 + done, bf16, hasSecond);
            to[6] = Unit(row6 + done, bf16, hasSecond);
            to[7] = Unit(row7 + done, bf16, hasSecond);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Unit(float* values, bool bf16, bool hasSecond) => bf16 ? Bf16.Pair(values[0], hasSecond ? values[1] : 0) : values[0];
}
