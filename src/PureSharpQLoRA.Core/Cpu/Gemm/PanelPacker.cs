namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// Packs panels of a right operand: [steps][48] units, for bf16 the pair of reduction indices 2s and 2s+1 with an odd end padded by zero.
/// Columns behind the last are zero. Each type has a fast way for whole vectors; what that leaves is decoded to fp32 first.
/// </summary>
internal static unsafe class PanelPacker
{
    /// <summary>Floats of scratch that <see cref="Pack"/> needs.</summary>
    public const int StageFloats = StagedPanels.StageFloats;

    /// <summary>Floats that may be overwritten behind a panel (with what the next panel then replaces).</summary>
    public const int Overrun = 8 * Tile.Columns;

    public static void Pack(in RightOperand right, int firstColumn, int firstReduction, int count, bool bf16, float* panel, float* stage)
    {
        if (right.IsTransposed)
        {
            PackTransposed(right, firstColumn, firstReduction, count, bf16, panel, stage);
        }
        else
        {
            PackPlain(right, firstColumn, firstReduction, count, bf16, panel, stage);
        }
    }

    private static void PackTransposed(in RightOperand right, int firstColumn, int first, int count, bool bf16, float* panel, float* stage)
    {
        int valuesPerUnit = bf16 ? 2 : 1;
        for (int group = 0; group < Tile.Columns; group += StagedPanels.GroupRows)
        {
            int row = firstColumn + group;
            int rows = Math.Clamp(right.Rows - row, 0, StagedPanels.GroupRows);
            int done = 0;
            if (rows == StagedPanels.GroupRows)
            {
                done = right.Type == DataType.Nf4
                    ? Nf4Panels.PackTransposed(right, row, first, count, bf16, panel + group)
                    : DensePanels.PackTransposed(right, row, first, count, bf16, panel + group);
            }

            if (done < count)
            {
                float* rest = panel + group + (nint)(done / valuesPerUnit) * Tile.Columns;
                StagedPanels.PackTransposed(right, row, rows, first + done, count - done, bf16, rest, stage);
            }
        }
    }

    private static void PackPlain(in RightOperand right, int firstColumn, int first, int count, bool bf16, float* panel, float* stage)
    {
        int columns = Math.Min(Tile.Columns, right.Columns - firstColumn);
        int done = right.Type == DataType.Nf4
            ? Nf4Panels.PackPlain(right, firstColumn, columns, first, count, bf16, panel)
            : DensePanels.PackPlain(right, firstColumn, columns, first, count, bf16, panel);
        if (done < count)
        {
            float* rest = panel + (nint)(bf16 ? done / 2 : done) * Tile.Columns;
            StagedPanels.PackPlain(right, firstColumn, columns, first + done, count - done, bf16, rest, stage);
        }
    }
}
