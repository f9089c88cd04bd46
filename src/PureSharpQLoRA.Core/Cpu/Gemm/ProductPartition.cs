namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>A block of an output: some row panels by some column panels.</summary>
internal readonly record struct OutputBlock(int FirstRowPanel, int RowPanels, int FirstPanel, int Panels);

/// <summary>
/// How an output is cut into blocks for a team. Columns are cut first, since each block packs its own part of the right operand; rows
/// only where that leaves threads idle (few columns), because each further cut packs the same part again.
/// </summary>
internal readonly record struct ProductPartition(int RowPanels, int Panels, int RowPanelsPerBlock, int PanelsPerBlock)
{
    /// <summary>Row panels of a block whose left operand is streamed.</summary>
    public const int MaxStreamedRowPanels = 16;

    /// <summary>Column panels of such a block.</summary>
    public const int MaxStreamedPanels = 12;

    private const int MaxPanelsPerBlock = 4;
    private const int BlocksPerMember = 4;

    /// <summary>What packing a panel costs, as the number of row panels that are multiplied in that time.</summary>
    private const int PackingCost = 2;
    private const int FewestRowPanels = 2;
    private const double LeftReadCost = 1 / 16.0;

    public int Blocks => RowBlocks * ColumnBlocks;

    private int RowBlocks => (RowPanels + RowPanelsPerBlock - 1) / RowPanelsPerBlock;

    private int ColumnBlocks => (Panels + PanelsPerBlock - 1) / PanelsPerBlock;

    /// <summary>A left operand of more bytes than this comes from memory for every block, so fewer and wider blocks pay.</summary>
    private const long LargeLeft = 12 << 20;

    /// <summary>The cut for which the busiest member has least to do.</summary>
    /// <param name="rows">Rows of the output.</param>
    /// <param name="columns">Columns of the output.</param>
    /// <param name="leftBytes">Size of the packed left operand.</param>
    /// <param name="members">Members of the team.</param>
    public static ProductPartition Choose(int rows, int columns, long leftBytes, int members)
    {
        int rowPanels = (rows + Tile.Rows - 1) / Tile.Rows;
        int panels = (columns + Tile.Columns - 1) / Tile.Columns;
        int wanted = BlocksPerMember * members;
        int panelsPerBlock = leftBytes > LargeLeft
            ? WidestBlock(panels, members)
            : BalancedBlock(panels, members, Math.Clamp(panels / wanted, 1, MaxPanelsPerBlock));
        var best = new ProductPartition(rowPanels, panels, rowPanels, panelsPerBlock);
        if (members == 1 || best.Blocks >= wanted)
        {
            return best;
        }

        long bestCost = best.Cost(members);
        for (int cuts = 2; cuts <= wanted && rowPanels / cuts >= FewestRowPanels; cuts++)
        {
            var candidate = new ProductPartition(rowPanels, panels, (rowPanels + cuts - 1) / cuts, panelsPerBlock);
            long cost = candidate.Cost(members);
            if (cost < bestCost)
            {
                (best, bestCost) = (candidate, cost);
            }
        }

        return best;
    }

    /// <summary>
    /// The cut where each block packs its own rows as it goes: rows first, so that the left operand is read as few times as possible, and as many
    /// panels to a block as the scratch holds.
    /// </summary>
    public static ProductPartition ChooseStreamed(int rows, int columns, int members)
    {
        int rowPanels = (rows + Tile.Rows - 1) / Tile.Rows;
        int panels = (columns + Tile.Columns - 1) / Tile.Columns;
        int columnBlocks = (panels + MaxStreamedPanels - 1) / MaxStreamedPanels;
        int rowBlocks = Math.Clamp((members + columnBlocks - 1) / columnBlocks, 1, rowPanels);
        rowBlocks = Math.Max(rowBlocks, (rowPanels + MaxStreamedRowPanels - 1) / MaxStreamedRowPanels);
        return new ProductPartition(rowPanels, panels, (rowPanels + rowBlocks - 1) / rowBlocks, (panels + columnBlocks - 1) / columnBlocks);
    }

    /// <summary>Block number <paramref name="index"/>; blocks of the same columns follow each other.</summary>
    public OutputBlock At(int index)
    {
        int firstRow = index % RowBlocks * RowPanelsPerBlock;
        int firstPanel = index / RowBlocks * PanelsPerBlock;
        return new OutputBlock(firstRow, Math.Min(RowPanelsPerBlock, RowPanels - firstRow), firstPanel, Math.Min(PanelsPerBlock, Panels - firstPanel));
    }

    /// <summary>The most panels for a block that leave no member with more panels than another cut would.</summary>
    private static int WidestBlock(int panels, int members)
    {
        (int best, int bestShare) = (1, int.MaxValue);
        for (int width = 1; width <= MaxPanelsPerBlock; width++)
        {
            int blocks = (panels + width - 1) / width;
            int share = (blocks + members - 1) / members * width;
            if (share <= bestShare)
            {
                (best, bestShare) = (width, share);
            }
        }

        return best;
    }

    /// <summary>
    /// The width up to <paramref name="widest"/> for which the busiest member is done first: 43 panels in blocks of 4 would give one of two members 24. A
    /// narrow block reads the left operand more often, at about a sixteenth of a panel each time.
    /// </summary>
    private static int BalancedBlock(int panels, int members, int widest)
    {
        (int best, double bestCost) = (1, double.MaxValue);
        for (int width = 1; width <= widest; width++)
        {
            int blocks = (panels + width - 1) / width;
            double cost = (blocks + members - 1) / members * (width + LeftReadCost);
            if (cost < bestCost)
            {
                (best, bestCost) = (width, cost);
            }
        }

        return best;
    }

    private long Cost(int members) => (Blocks + members - 1) / members * (long)PanelsPerBlock * (RowPanelsPerBlock + PackingCost);
}
