using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Packs any part of any operand by way of decoded runs in scratch memory.</summary>
internal static unsafe class StagedPanels
{
    /// <summary>Stored rows that are transposed together.</summary>
    public const int GroupRows = 16;

    /// <summary>Floats of scratch.</summary>
    public const int StageFloats = GroupRows * StageStride;

    private const int StageValues = 64;
    private const int StageStride = StageValues + RowDecoder.Overrun;

    /// <summary>Packs 16 columns of the panel from stored rows, of which only the first <paramref name="rows"/> exist.</summary>
    public static void PackTransposed(in RightOperand right, int row, int rows, int first, int count, bool bf16, float* to, float* stage)
    {
        for (int done = 0; done < count; done += StageValues)
        {
            int values = Math.Min(StageValues, count - done);
            for (int i = 0; i < GroupRows; i++)
            {
                int decoded = i < rows ? values : 0;
                if (decoded > 0)
                {
                    RowDecoder.Decode(right, row + i, first + done, values, stage + i * StageStride);
                }

                new Span<float>(stage + i * StageStride + decoded, StageStride - decoded).Clear();
            }

            int step = bf16 ? 16 : 8;
            for (int i = 0; i < values; i += step)
            {
                UnitTranspose.Store(stage + i, StageStride, bf16, to, Tile.Columns);
                UnitTranspose.Store(stage + 8 * StageStride + i, StageStride, bf16, to + 8, Tile.Columns);
                to += 8 * Tile.Columns;
            }
        }
    }

    /// <summary>Packs whole rows of the panel from runs of <paramref name="columns"/> stored columns.</summary>
    public static void PackPlain(in RightOperand right, int firstColumn, int columns, int firstRow, int count, bool bf16, float* to, float* stage)
    {
        float* odd = stage + Tile.Columns + RowDecoder.Overrun;
        for (int i = 0; i < count; i += bf16 ? 2 : 1, to += Tile.Columns)
        {
            DecodeRow(right, firstColumn, columns, firstRow + i, stage);
            if (!bf16)
            {
                new ReadOnlySpan<float>(stage, Tile.Columns).CopyTo(new Span<float>(to, Tile.Columns));
                continue;
            }

            DecodeRow(right, firstColumn, i + 1 < count ? columns : 0, firstRow + i + 1, odd);
            for (int column = 0; column < Tile.Columns; column += 16)
            {
                Bf16.Join(Vector512.Load(stage + column), Vector512.Load(odd + column)).StoreAligned(to + column);
            }
        }
    }

    private static void DecodeRow(in RightOperand right, int firstColumn, int columns, int row, float* to)
    {
        if (columns > 0)
        {
            RowDecoder.Decode(right, row, firstColumn, columns, to);
        }

        new Span<float>(to + columns, Tile.Columns - columns).Clear();
    }
}
