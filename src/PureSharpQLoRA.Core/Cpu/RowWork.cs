namespace PureSharpQLoRA.Core.Cpu;

/// <summary>The operands of a kernel that works row by row; each kernel says which it uses.</summary>
internal unsafe struct RowOperands
{
    public float* A;
    public float* B;
    public float* C;
    public float* D;
    public float* E;
    public int* Indices;
    public int Width;
    public int Group;
    public float Factor;
    public float Epsilon;
    public ulong Seed;
    public bool Accumulate;
    public bool Inverse;
}

/// <summary>Runs a row kernel over a range of rows on the team.</summary>
internal sealed unsafe class RowWork : ParallelRange
{
    /// <summary>Enough work for a turn to outweigh taking it: about this many elements.</summary>
    private const int ElementsPerTurn = 16384;

    private RowOperands _operands;
    private delegate*<in RowOperands, int, int, void> _kernel;

    public void Run(ThreadTeam team, int rows, in RowOperands operands, delegate*<in RowOperands, int, int, void> kernel)
    {
        _operands = operands;
        _kernel = kernel;
        Start(team, rows, ElementsPerTurn / Math.Max(1, operands.Width));
    }

    protected override void Execute(int first, int end, int member) => _kernel(_operands, first, end);
}
