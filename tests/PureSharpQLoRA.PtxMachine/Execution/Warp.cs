using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

internal enum WarpState { Ready, AtBarrier, Done }

/// <summary>
/// 32 lanes in lockstep. Diverged groups run lowest counter first; a .sync instruction blocks its group until every
/// live lane it names has arrived (PTX ISA "Independent Thread Scheduling" seen from the instructions that need it).
/// </summary>
internal sealed unsafe partial class Warp : IDisposable
{
    private const int SliceLength = 4_000;
    private readonly Stack<Frame> frames = new();
    private readonly List<AsyncCopy> asyncCopies = [];
    private readonly int[] asyncGroups = new int[32];
    private long executed;
    private bool pickHighest;

    public Warp(Worker worker, int id)
    {
        Worker = worker;
        Id = id;
        Addresses = (ulong*)NativeMemory.AlignedAlloc(32 * 8, 64);
        Pointers = (byte**)NativeMemory.AlignedAlloc(32 * 8, 64);
    }

    public Worker Worker { get; }
    public int Id { get; }
    public Block Block { get; private set; } = null!;
    /// <summary>Registers of the running frame.</summary>
    public byte* Registers { get; private set; }
    public ulong* Addresses { get; }
    public byte** Pointers { get; }
    public uint Exists { get; private set; }
    public uint Live { get; private set; }
    public uint CarryFlags { get; set; }
    public WarpState State { get; set; }
    public ulong Clock => (ulong)executed;
    public uint LocalBase => frames.Peek().LocalBase;
    public uint ExitedLanes => Exists & ~Live;

    /// <summary>Where this warp waits, for reports.</summary>
    public BarrierInstruction? WaitingAt { get; set; }
    public byte* WaitingRegisters { get; set; }
    public uint WaitingMask { get; set; }

    public void Start(Block block, PtxFunction kernel, uint lanes)
    {
        Block = block;
        Exists = Live = lanes;
        State = WarpState.Ready;
        asyncCopies.Clear();
        Array.Clear(asyncGroups);
        executed = 0;
        ResetLocal();
        while (frames.TryPop(out Frame? old))
        {
            Worker.Return(old);
        }

        Push(kernel, lanes, null);
    }

    /// <summary>Runs until the warp waits at a barrier, ends, or its time slice is over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run()
    {
        Instruction[] code = Worker.Launch.Code;
        InstructionStats[] stats = Worker.Stats;
        Frame f = frames.Peek();
        int pc = f.Pc;
        uint active = f.Active & Live;
        Registers = f.Registers;
        int slice = 0;
        if (active == 0 && !NextGroup(ref f, ref pc, ref active))
        {
            return;
        }

        while (true)
        {
            if (pc >= f.NextPending)
            {
                f.Add(pc, active, 0);
                f.Pick(Live, false, out pc, out active);
            }
            if (++slice > SliceLength)
            {
                EndSlice(f, pc, active, slice);
                return;
            }
            Instruction ins = code[pc];
            uint m = active;
            if (ins.Guard >= 0)
            {
                uint guard = *(uint*)(f.Registers + ins.Guard);
                m &= ins.GuardNegated ? ~guard : guard;
            }
            ref InstructionStats count = ref stats[pc];
            count.Warps++;
            count.Threads += BitOperations.PopCount(m);
            switch (ins.Flow)
            {
                case Flow.Next:
                    if (m != 0)
                    {
                        ins.Execute(this, m);
                    }

                    pc++;
                    continue;

                case Flow.Branch:
                    {
                        var branch = (BranchInstruction)ins;
                        if (m == active)
                        {
                            pc = branch.Target;
                        }
                        else
                        {
                            pc++;
                            if (m == 0)
                            {
                                continue;
                            }

                            if (branch.Uniform)
                            {
                                Worker.DivergentUniformBranches++;
                            }

                            f.Add(branch.Target, m, 0);
                            active &= ~m;
                        }
                        continue;
                    }

                case Flow.BranchIndexed:
                    {
                        var branch = (BranchIndexedInstruction)ins;
                        if (m == 0) { pc++; continue; }
                        if (m != active)
                        {
                            f.Add(pc + 1, active & ~m, 0);
                        }

                        while (m != 0)
                        {
                            int target = branch.TargetOf(this, BitOperations.TrailingZeroCount(m));
                            uint group = 0;
                            for (uint rest = m; rest != 0; rest &= rest - 1)
                            {
                                int i = BitOperations.TrailingZeroCount(rest);
                                if (branch.TargetOf(this, i) == target)
                                {
                                    group |= 1u << i;
                                }
                            }
                            f.Add(target, group, 0);
                            m &= ~group;
                        }
                        f.Pick(Live, false, out pc, out active);
                        continue;
                    }

                case Flow.Converge:
                    active |= f.Merge(pc);
                    m = Guarded(f, ins, active);
                    if (m == 0) { pc++; continue; }
                    uint need = ins.Members(this, m) & Live;
                    if ((need & ~active) != 0)
                    {
                        f.Add(pc, active, need);
                        if (!NextGroup(ref f, ref pc, ref active))
                        {
                            return;
                        }

                        continue;
                    }
                    if ((need & ~m) != 0)
                    {
                        Report(ViolationKind.DivergentSync, ins, BitOperations.TrailingZeroCount(need & ~m), $"lane is named in the member mask 0x{need:X8} but does not execute the instruction");
                    }

                    ins.Execute(this, m);
                    pc++;
                    continue;

                case Flow.Barrier:
                    active |= f.Merge(pc);
                    m = Guarded(f, ins, active);
                    if (m == 0) { pc++; continue; }
                    if ((Live & ~active) != 0)
                    {
                        f.Add(pc, active, Live);
                        if (!NextGroup(ref f, ref pc, ref active))
                        {
                            return;
                        }

                        continue;
                    }
                    if (m != active)
                    {
                        Report(ViolationKind.DivergentBarrier, ins, BitOperations.TrailingZeroCount(active & ~m), "the barrier's guard differs within the warp");
                    }

                    pc++;
                    f.Pc = pc;
                    f.Active = active;
                    executed += slice;
                    slice = 0;
                    if (Block.Arrive(this, (BarrierInstruction)ins, m))
                    {
                        return;
                    }

                    continue;

                case Flow.Call:
                    {
                        pc++;
                        if (m == 0)
                        {
                            continue;
                        }

                        f.Pc = pc;
                        f.Active = active;
                        var call = (CallInstruction)ins;
                        Frame callee = Push(call.Callee, m, call);
                        call.PassArguments(f.Registers, callee.Registers, m);
                        f = callee;
                        pc = f.Pc;
                        active = m;
                        continue;
                    }

                case Flow.Return when f.Call != null:
                    f.Members &= ~m;
                    active &= ~m;
                    pc++;
                    if (active == 0 && !NextGroup(ref f, ref pc, ref active))
                    {
                        return;
                    }

                    continue;

                default: // exit, or ret of the kernel
                    Live &= ~m;
                    f.Members &= ~m;
                    active &= ~m;
                    pc++;
                    if (active == 0 && !NextGroup(ref f, ref pc, ref active)) { executed += slice; return; }
                    continue;
            }
        }
    }

    private static uint Guarded(Frame f, Instruction ins, uint active)
    {
        if (ins.Guard < 0)
        {
            return active;
        }

        uint guard = *(uint*)(f.Registers + ins.Guard);
        return active & (ins.GuardNegated ? ~guard : guard);
    }

    /// <summary>Finds the next runnable group, returning from finished frames; false when the warp is done.</summary>
    private bool NextGroup(ref Frame f, ref int pc, ref uint active)
    {
        while (true)
        {
            while (f.Pick(Live, false, out pc, out active))
            {
                active &= Live;
                if (active != 0)
                {
                    return true;
                }
            }
            if ((f.Members & Live) != 0)
            {
                throw Stuck(f);
            }

            frames.Pop();
            CallInstruction? call = f.Call;
            if (frames.Count == 0)
            {
                Worker.Return(f);
                State = WarpState.Done;
                return false;
            }
            Frame caller = frames.Peek();
            call!.PassResults(f.Registers, caller.Registers, f.Entered & Live);
            Worker.Return(f);
            f = caller;
            Registers = f.Registers;
            pc = f.Pc;
            active = f.Active & Live;
            if (active != 0)
            {
                return true;
            }
        }
    }

    private Frame Push(PtxFunction function, uint mask, CallInstruction? call)
    {
        if (frames.Count > 64)
        {
            throw new PtxLaunchException($"call depth over 64 in {Worker.Launch.Kernel.Name}");
        }

        uint localBase = frames.Count == 0 ? AddressWindows.LocalBase : (frames.Peek().LocalBase + (uint)frames.Peek().Function.LocalSize + 15) / 16 * 16;
        Frame frame = Worker.Rent(function);
        frame.Enter(function.Start, mask);
        frame.Call = call;
        frame.LocalBase = localBase;
        EnsureLocal(localBase + (uint)function.LocalSize);
        frames.Push(frame);
        Registers = frame.Registers;
        SpecialRegisterValues.Fill(this, function.Frame.Specials, frame.Registers);
        return frame;
    }

    private void EndSlice(Frame f, int pc, uint active, int slice)
    {
        executed += slice;
        Worker.CountSlice(slice, this);
        f.Add(pc, active, 0);
        f.RefreshPending();
        pickHighest = !pickHighest; // alternate, so that a spinning group cannot starve the group it waits for
        f.Pick(Live, pickHighest, out pc, out active);
        f.Pc = pc;
        f.Active = active;
    }

    /// <summary>Every group waits for lanes that can no longer arrive.</summary>
    private BlockAbort Stuck(Frame f)
    {
        var waits = new List<string>();
        Instruction? first = null;
        uint firstMask = 0;
        for (int k = 0; k < f.GroupCount; k++)
        {
            var (pc, mask) = f.Group(k);
            Instruction ins = Worker.Launch.Code[pc];
            if (first == null)
            {
                (first, firstMask) = (ins, mask);
            }

            waits.Add($"lanes 0x{mask:X8} wait at line {ins.Line} '{ins.Text}'");
        }
        if (frames.Count > 1)
        {
            waits.Add($"{BitOperations.PopCount(Live & ~f.Members)} other lanes are outside the called function");
        }

        ViolationKind kind = first is BarrierInstruction ? ViolationKind.DivergentBarrier : ViolationKind.DivergentSync;
        if (first != null)
        {
            Report(kind, first, BitOperations.TrailingZeroCount(firstMask), $"divergence in warp {Id}: " + string.Join("; ", waits));
        }

        return new BlockAbort();
    }

    public void Report(ViolationKind kind, Instruction ins, int lane, string detail) => Worker.Report(kind, ins, Block.Index, ThreadOf(lane), detail);

    public PtxFaultException Fault(Instruction ins, int lane, string detail, ulong address = 0) =>
        new(Worker.Launch.Kernel.Name, ins.Line, ins.Text, Block.Index, ThreadOf(lane), address, detail, [.. Worker.Violations]);

    public Dim3 ThreadOf(int lane)
    {
        Dim3 b = Worker.Launch.BlockSize;
        int t = Id * 32 + lane;
        return new Dim3(t % b.X, t / b.X % b.Y, t / (b.X * b.Y));
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Addresses);
        NativeMemory.AlignedFree(Pointers);
        FreeLocal();
    }
}

/// <summary>Ends a block whose threads can make no further progress; the finding has been reported.</summary>
internal sealed class BlockAbort : Exception;
