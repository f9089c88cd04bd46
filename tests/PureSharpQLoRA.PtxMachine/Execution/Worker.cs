using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>Everything a launch shares between its blocks.</summary>
internal sealed class LaunchContext
{
    public required PtxModule Module { get; init; }
    public required PtxKernel Kernel { get; init; }
    public required DeviceMemory Memory { get; init; }
    public required MachineOptions Options { get; init; }
    public required Dim3 GridSize { get; init; }
    public required Dim3 BlockSize { get; init; }
    public required int DynamicSharedBytes { get; init; }
    public required int SharedBytes { get; init; }
    public required IReadOnlyList<(int Offset, int Size)> SharedVariables { get; init; }
    public required byte[] Parameters { get; init; }
    /// <summary>Device addresses of the module's .global and .const variables.</summary>
    public required ulong[] VariableAddresses { get; init; }
    public Instruction[] Code => Module.Code;
}

/// <summary>Counters of one instruction.</summary>
internal struct InstructionStats
{
    public long Warps, Threads;
    public long GlobalBytes, GlobalSectors, GlobalIdealSectors;
    public long SharedBytes, SharedAccesses, SharedWavefronts, SharedIdealWavefronts;
}

/// <summary>One host thread's execution state: a reused block, frame pool, counters and findings.</summary>
internal sealed class Worker : IDisposable
{
    private readonly Dictionary<PtxFunction, Stack<Frame>> pool = [];
    private readonly List<Frame> allFrames = [];
    private readonly Dictionary<(ViolationKind, int), Violation> violations = [];
    private readonly Block block;
    private long instructions;

    public Worker(LaunchContext launch)
    {
        Launch = launch;
        Stats = new InstructionStats[launch.Code.Length];
        block = new Block(this);
    }

    public LaunchContext Launch { get; }
    public InstructionStats[] Stats { get; }
    public IEnumerable<Violation> Violations => violations.Values;
    public long Barriers { get; set; }
    public long DivergentUniformBranches { get; set; }
    public int AbortedBlocks { get; set; }

    public void RunBlock(long index)
    {
        Dim3 grid = Launch.GridSize;
        block.Run(new Dim3((int)(index % grid.X), (int)(index / grid.X % grid.Y), (int)(index / ((long)grid.X * grid.Y))));
    }

    public Frame Rent(PtxFunction function)
    {
        if (pool.TryGetValue(function, out Stack<Frame>? free) && free.TryPop(out Frame? frame))
        {
            return frame;
        }

        frame = new Frame(function);
        allFrames.Add(frame);
        return frame;
    }

    public void Return(Frame frame)
    {
        if (!pool.TryGetValue(frame.Function, out Stack<Frame>? free))
        {
            pool[frame.Function] = free = new Stack<Frame>();
        }

        free.Push(frame);
    }

    public void Report(ViolationKind kind, Instruction ins, Dim3 blockIndex, Dim3 thread, string detail)
    {
        if (violations.TryGetValue((kind, ins.Index), out Violation? known)) { known.Count++; return; }
        if (violations.Count >= Launch.Options.MaxViolations)
        {
            return;
        }

        violations.Add((kind, ins.Index), new Violation(kind, Launch.Kernel.Name, ins.Line, ins.Text, blockIndex, thread, detail));
    }

    public void CountSlice(int count, Warp warp)
    {
        instructions += count;
        if (instructions > Launch.Options.MaxWarpInstructions)
        {
            throw new PtxLaunchException($"{Launch.Kernel.Name}: over {Launch.Options.MaxWarpInstructions} warp instructions (an endless loop in block {warp.Block.Index}, warp {warp.Id}?)");
        }
    }

    public unsafe void Dispose()
    {
        block.Dispose();
        foreach (Frame f in allFrames)
        {
            NativeMemory.AlignedFree(f.Registers);
        }
    }
}
