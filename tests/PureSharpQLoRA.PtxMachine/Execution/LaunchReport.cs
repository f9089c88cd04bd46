namespace PureSharpQLoRA.PtxMachine;

/// <summary>Counts of one PTX instruction over a launch.</summary>
public sealed record InstructionReport(
    int Line, string Text, string Mnemonic, long WarpExecutions, long ThreadExecutions,
    long GlobalBytes, long GlobalSectors, long IdealSectors, long SharedBytes, long SharedAccesses, long ExtraWavefronts);

/// <summary>What a launch did: instructions, memory traffic, conflicts, matrix operations and findings.</summary>
public sealed class LaunchReport
{
    private LaunchReport(string kernel, IReadOnlyList<InstructionReport> instructions, IReadOnlyList<Violation> violations) =>
        (Kernel, Instructions, Violations) = (kernel, instructions, violations);

    public string Kernel { get; }
    public TimeSpan Elapsed { get; private init; }
    public long Blocks { get; private init; }
    /// <summary>Blocks that could not finish (divergent barriers).</summary>
    public int AbortedBlocks { get; private init; }
    public long WarpInstructions { get; private set; }
    public long ThreadInstructions { get; private set; }
    /// <summary>Bytes asked for by lanes; broadcasts count once per lane.</summary>
    public long GlobalReadBytes { get; private set; }
    public long GlobalWriteBytes { get; private set; }
    public long GlobalAtomicBytes { get; private set; }
    /// <summary>Distinct 32-byte sectors summed over warp accesses: the traffic a coalescing unit would send.</summary>
    public long GlobalReadSectors { get; private set; }
    public long GlobalWriteSectors { get; private set; }
    /// <summary>The fewest sectors the same accesses could need, and how close they came (1 = perfectly coalesced).</summary>
    public long GlobalIdealSectors { get; private set; }
    public double CoalescingEfficiency => GlobalSectors == 0 ? 1 : (double)GlobalIdealSectors / GlobalSectors;
    public long GlobalSectors { get; private set; }
    public long SharedBytes { get; private set; }
    public long SharedAccesses { get; private set; }
    public long SharedWavefronts { get; private set; }
    /// <summary>Shared-memory passes beyond the conflict-free number.</summary>
    public long BankConflicts { get; private set; }
    /// <summary>Warp-wide mma instructions and their multiply-adds.</summary>
    public long MmaInstructions { get; private set; }
    public long MmaMultiplyAdds { get; private set; }
    public long Barriers { get; private init; }
    /// <summary>bra.uni executed with lanes that disagreed (the .uni promise was broken).</summary>
    public long DivergentUniformBranches { get; private init; }
    public long StaticSharedBytes { get; private init; }
    public IReadOnlyList<InstructionReport> Instructions { get; }
    public IReadOnlyList<Violation> Violations { get; }

    /// <summary>Warp executions of instructions whose mnemonic starts with a prefix, such as "ld.global" or "mma".</summary>
    public long CountOf(string prefix) => Instructions.Where(i => i.Mnemonic.StartsWith(prefix, StringComparison.Ordinal)).Sum(i => i.WarpExecutions);

    /// <summary>Bank conflicts of the instructions with a mnemonic prefix.</summary>
    public long BankConflictsOf(string prefix) => Instructions.Where(i => i.Mnemonic.StartsWith(prefix, StringComparison.Ordinal)).Sum(i => i.ExtraWavefronts);

    public override string ToString() =>
        $"{Kernel}: {Blocks} blocks, {WarpInstructions} warp / {ThreadInstructions} thread instructions in {Elapsed.TotalMilliseconds:F1} ms; " +
        $"global {GlobalReadBytes} B read in {GlobalReadSectors} sectors, {GlobalWriteBytes} B written in {GlobalWriteSectors} sectors, coalescing {CoalescingEfficiency:P0}; " +
        $"shared {SharedAccesses} accesses, {BankConflicts} conflicts; {MmaInstructions} mma; {Barriers} barriers; {Violations.Count} violations";

    internal static LaunchReport Create(LaunchContext context, Worker[] workers, TimeSpan elapsed)
    {
        Instruction[] code = context.Code;
        var sums = new InstructionStats[code.Length];
        var violations = new List<Violation>();
        foreach (Worker w in workers)
        {
            for (int i = 0; i < code.Length; i++)
            {
                Add(ref sums[i], w.Stats[i]);
            }

            foreach (Violation v in w.Violations)
            {
                if (violations.Find(x => x.Kind == v.Kind && x.Line == v.Line && x.InstructionText == v.InstructionText) is { } same)
                {
                    same.Count += v.Count;
                }
                else
                {
                    violations.Add(v);
                }
            }
        }
        violations.Sort((a, b) => a.Line.CompareTo(b.Line));
        var lines = new List<InstructionReport>();
        for (int i = 0; i < code.Length; i++)
        {
            ref InstructionStats s = ref sums[i];
            if (s.Warps == 0)
            {
                continue;
            }

            lines.Add(new InstructionReport(code[i].Line, code[i].Text, code[i].Mnemonic, s.Warps, s.Threads,
                s.GlobalBytes, s.GlobalSectors, s.GlobalIdealSectors, s.SharedBytes, s.SharedAccesses, s.SharedWavefronts - s.SharedIdealWavefronts));
        }
        var report = new LaunchReport(context.Kernel.Name, lines, violations)
        {
            Elapsed = elapsed,
            Blocks = context.GridSize.Count,
            AbortedBlocks = workers.Sum(w => w.AbortedBlocks),
            Barriers = workers.Sum(w => w.Barriers),
            DivergentUniformBranches = workers.Sum(w => w.DivergentUniformBranches),
            StaticSharedBytes = context.Kernel.StaticSharedBytes,
        };
        for (int i = 0; i < code.Length; i++)
        {
            report.Total(code[i], sums[i]);
        }

        return report;
    }

    private void Total(Instruction ins, in InstructionStats s)
    {
        WarpInstructions += s.Warps;
        ThreadInstructions += s.Threads;
        GlobalSectors += s.GlobalSectors;
        GlobalIdealSectors += s.GlobalIdealSectors;
        SharedBytes += s.SharedBytes;
        SharedAccesses += s.SharedAccesses;
        SharedWavefronts += s.SharedWavefronts;
        BankConflicts += s.SharedWavefronts - s.SharedIdealWavefronts;
        if (ins is Mma mma)
        {
            MmaInstructions += s.Warps;
            MmaMultiplyAdds += s.Warps * mma.MultiplyAdds;
        }
        if (ins is not IMemoryInstruction memory)
        {
            return;
        }

        switch (memory.Access)
        {
            case AccessKind.Read: GlobalReadBytes += s.GlobalBytes; GlobalReadSectors += s.GlobalSectors; break;
            case AccessKind.Write: GlobalWriteBytes += s.GlobalBytes; GlobalWriteSectors += s.GlobalSectors; break;
            default: GlobalAtomicBytes += s.GlobalBytes; break;
        }
    }

    private static void Add(ref InstructionStats a, in InstructionStats b)
    {
        a.Warps += b.Warps;
        a.Threads += b.Threads;
        a.GlobalBytes += b.GlobalBytes;
        a.GlobalSectors += b.GlobalSectors;
        a.GlobalIdealSectors += b.GlobalIdealSectors;
        a.SharedBytes += b.SharedBytes;
        a.SharedAccesses += b.SharedAccesses;
        a.SharedWavefronts += b.SharedWavefronts;
        a.SharedIdealWavefronts += b.SharedIdealWavefronts;
    }
}
