using System.Numerics;

namespace PureSharpQLoRA.PtxMachine;

// Control flow (PTX ISA "Control Flow Instructions"); the warp's scheduler loop carries these out.

internal sealed class BranchInstruction(string label, bool uniform) : Instruction
{
    public string Label { get; } = label;
    public bool Uniform { get; } = uniform;
    public int Target { get; set; }
}

internal sealed unsafe class BranchIndexedInstruction(int index, IReadOnlyList<string> labels) : Instruction
{
    public IReadOnlyList<string> Labels { get; } = labels;
    public int[] Targets { get; set; } = [];
    public int TargetOf(Warp w, int lane) => Targets[((uint*)(w.Registers + index))[lane] is var k && k < (uint)Targets.Length
        ? (int)k : throw w.Fault(this, lane, $"brx.idx index {k} is outside its {Targets.Length} targets")];
}

/// <summary>call: copies per-lane arguments into the callee's frame and results back.</summary>
internal sealed unsafe class CallInstruction(string name, IReadOnlyList<ParamSymbol> arguments, IReadOnlyList<ParamSymbol> results) : Instruction
{
    public string Name { get; } = name;
    public PtxFunction Callee { get; set; } = null!;
    public int ArgumentCount => arguments.Count;
    public int ResultCount => results.Count;

    public void PassArguments(byte* caller, byte* callee, uint mask)
    {
        for (int k = 0; k < arguments.Count; k++)
        {
            Copy(caller, arguments[k], callee, Callee.Parameters[k], mask);
        }
    }

    public void PassResults(byte* callee, byte* caller, uint mask)
    {
        for (int k = 0; k < results.Count; k++)
        {
            Copy(callee, Callee.Returns[k], caller, results[k], mask);
        }
    }

    private static void Copy(byte* from, ParamSymbol source, byte* to, ParamSymbol target, uint mask)
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            Buffer.MemoryCopy(from + source.Offset + i * source.LaneStride, to + target.Offset + i * target.LaneStride, target.LaneStride, Math.Min(source.Size, target.Size));
        }
    }
}

internal sealed class ReturnInstruction : Instruction;

internal sealed class ExitInstruction : Instruction;

internal enum BarrierKind { Sync, Arrive, ReducePopc, ReduceAnd, ReduceOr }

/// <summary>bar/barrier: block-wide barriers 0..15, whole or partial, with optional reduction of a predicate.</summary>
internal sealed unsafe class BarrierInstruction(BarrierKind kind, int id, int count, int d, int source, bool negated) : Instruction
{
    public BarrierKind Kind { get; } = kind;

    public int Id(Warp w, uint mask) => ((int*)(w.Registers + id))[BitOperations.TrailingZeroCount(mask)];

    /// <summary>Expected threads, 0 for all of the block.</summary>
    public int Count(Warp w, uint mask) => count < 0 ? 0 : ((int*)(w.Registers + count))[BitOperations.TrailingZeroCount(mask)];

    public uint Source(Warp w) => negated ? ~*(uint*)(w.Registers + source) : *(uint*)(w.Registers + source);

    public void Deliver(byte* registers, uint mask, int trueCount, int total)
    {
        if (Kind == BarrierKind.ReducePopc)
        {
            for (uint m = mask; m != 0; m &= m - 1)
            {
                ((uint*)(registers + d))[BitOperations.TrailingZeroCount(m)] = (uint)trueCount;
            }
        }
        else
        {
            Predicates.Write((uint*)(registers + d), (Kind == BarrierKind.ReduceAnd ? trueCount == total : trueCount > 0) ? uint.MaxValue : 0, mask);
        }
    }
}
