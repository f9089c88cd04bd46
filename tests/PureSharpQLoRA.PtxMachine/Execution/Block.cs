using System.Numerics;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>One thread block: its warps, shared memory and the 16 barriers (PTX ISA "Parallel Synchronization: bar").</summary>
internal sealed unsafe class Block : IDisposable
{
    private readonly Warp[] warps;
    private readonly Barrier[] barriers = new Barrier[16];
    private readonly Worker worker;

    public Block(Worker worker)
    {
        this.worker = worker;
        LaunchContext launch = worker.Launch;
        int threads = (int)launch.BlockSize.Count;
        warps = new Warp[(threads + 31) / 32];
        for (int w = 0; w < warps.Length; w++)
        {
            warps[w] = new Warp(worker, w);
        }

        for (int b = 0; b < barriers.Length; b++)
        {
            barriers[b] = new Barrier();
        }

        Shared = new SharedMemory(launch.SharedBytes, warps.Length, launch.Options.CheckRaces);
    }

    public Dim3 Index { get; private set; }
    public SharedMemory Shared { get; }

    public void Run(Dim3 index)
    {
        Index = index;
        Shared.Reset(worker.Launch.SharedVariables);
        foreach (Barrier b in barriers)
        {
            b.Clear();
        }

        int threads = (int)worker.Launch.BlockSize.Count;
        for (int w = 0; w < warps.Length; w++)
        {
            int lanes = Math.Min(32, threads - 32 * w);
            warps[w].Start(this, worker.Launch.Kernel.Function, lanes == 32 ? uint.MaxValue : (1u << lanes) - 1);
        }
        try
        {
            RunWarps();
        }
        catch (BlockAbort)
        {
            worker.AbortedBlocks++;
        }
    }

    private void RunWarps()
    {
        while (true)
        {
            bool progress = false, done = true;
            foreach (Warp w in warps)
            {
                if (w.State == WarpState.Done)
                {
                    continue;
                }

                done = false;
                if (w.State == WarpState.AtBarrier)
                {
                    continue;
                }

                w.Run();
                progress = true;
            }
            if (done)
            {
                return;
            }

            if (!progress && !ReleaseAfterExits())
            {
                throw Deadlock();
            }
        }
    }

    /// <summary>A warp arrives at a barrier; true when it must wait.</summary>
    public bool Arrive(Warp warp, BarrierInstruction ins, uint mask)
    {
        int id = ins.Id(warp, mask);
        if ((uint)id >= barriers.Length)
        {
            throw warp.Fault(ins, BitOperations.TrailingZeroCount(mask), $"barrier {id} does not exist");
        }

        Barrier b = barriers[id];
        int count = ins.Count(warp, mask);
        if (count % 32 != 0)
        {
            throw warp.Fault(ins, 0, $"barrier thread count {count} is not a multiple of the warp size");
        }

        if (warp.ExitedLanes != 0 && count == 0)
        {
            ReportExited(warp, ins, "lanes of this warp have exited");
        }

        int expected = count == 0 ? warps.Length : count / 32;
        if (b.Arrived != 0 && b.Expected != expected)
        {
            warp.Report(ViolationKind.DivergentBarrier, ins, 0, $"barrier {id} expects {b.Expected} warps and {expected} warps at once");
        }

        b.Expected = expected;
        b.Arrived |= 1u << warp.Id;
        if (ins.Kind is BarrierKind.ReducePopc or BarrierKind.ReduceAnd or BarrierKind.ReduceOr)
        {
            b.True += BitOperations.PopCount(ins.Source(warp) & mask);
            b.Total += BitOperations.PopCount(mask);
        }
        if (ins.Kind != BarrierKind.Arrive)
        {
            warp.State = WarpState.AtBarrier;
            warp.WaitingAt = ins;
            warp.WaitingRegisters = warp.Registers;
            warp.WaitingMask = mask;
            b.Waiting.Add(warp);
        }
        if (BitOperations.PopCount(b.Arrived) >= b.Expected)
        {
            Release(b);
        }

        return warp.State == WarpState.AtBarrier;
    }

    private void Release(Barrier b)
    {
        Shared.Join(b.Arrived);
        foreach (Warp w in b.Waiting)
        {
            if (w.WaitingAt!.Kind != BarrierKind.Sync)
            {
                w.WaitingAt.Deliver(w.WaitingRegisters, w.WaitingMask, b.True, b.Total);
            }

            w.State = WarpState.Ready;
            w.WaitingAt = null;
        }
        b.Clear();
        worker.Barriers++;
    }

    /// <summary>Hardware counts exited warps as arrived at a whole-block barrier; report it and go on as it does.</summary>
    private bool ReleaseAfterExits()
    {
        int live = warps.Count(w => w.State != WarpState.Done);
        foreach (Barrier b in barriers)
        {
            if (b.Waiting.Count != live || live == warps.Length || b.Expected != warps.Length)
            {
                continue;
            }

            Warp first = b.Waiting[0];
            ReportExited(first, first.WaitingAt!, $"{warps.Length - live} of {warps.Length} warps have exited");
            Release(b);
            return true;
        }
        return false;
    }

    private void ReportExited(Warp warp, BarrierInstruction ins, string detail)
    {
        if (worker.Launch.Options.CheckExitedAtBarrier)
        {
            warp.Report(ViolationKind.ExitedAtBarrier, ins, BitOperations.TrailingZeroCount(warp.Live), detail);
        }
    }

    private BlockAbort Deadlock()
    {
        Warp? first = null;
        var waits = new List<string>();
        foreach (Warp w in warps)
        {
            if (w.State == WarpState.Done) { waits.Add($"warp {w.Id} has exited"); continue; }
            first ??= w;
            waits.Add($"warp {w.Id} waits at line {w.WaitingAt!.Line} '{w.WaitingAt.Text}'");
        }
        first!.Report(ViolationKind.DivergentBarrier, first.WaitingAt!, BitOperations.TrailingZeroCount(first.Live), "barrier deadlock: " + string.Join("; ", waits));
        return new BlockAbort();
    }

    public void Dispose()
    {
        foreach (Warp w in warps)
        {
            w.Dispose();
        }

        Shared.Dispose();
    }

    private sealed class Barrier
    {
        public int Expected;
        public uint Arrived;
        public int True;
        public int Total;
        public List<Warp> Waiting { get; } = [];

        public void Clear()
        {
            Arrived = 0;
            Expected = True = Total = 0;
            Waiting.Clear();
        }
    }
}
