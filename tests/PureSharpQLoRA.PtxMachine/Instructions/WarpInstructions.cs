using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

// Warp-wide communication (PTX ISA "shfl.sync", "vote.sync", "match.sync", "redux.sync", "activemask", "bar.warp.sync").

/// <summary>A .sync instruction with a member-mask operand.</summary>
internal abstract unsafe class WarpSync(int members) : Instruction
{
    public override uint Members(Warp w, uint mask) =>
        members < 0 ? uint.MaxValue : ((uint*)(w.Registers + members))[BitOperations.TrailingZeroCount(mask)];
}

internal sealed class WarpBarrier(int members) : WarpSync(members)
{
    public override void Execute(Warp w, uint mask) { }
}

internal enum ShuffleMode { Up, Down, Butterfly, Index }

internal sealed unsafe class Shuffle(ShuffleMode mode, int d, int p, int a, int b, int c, int members) : WarpSync(members)
{
    private const uint Poison = 0x7FBADBAD; // a NaN, for lanes that read a lane which did not take part

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint* source = (uint*)(r + a), lanes = (uint*)(r + b), clamps = (uint*)(r + c);
        uint* result = stackalloc uint[32];
        uint inside = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int lane = BitOperations.TrailingZeroCount(m);
            int bval = (int)(lanes[lane] & 31), clamp = (int)(clamps[lane] & 31), segment = (int)(clamps[lane] >> 8 & 31);
            int maxLane = lane & segment | clamp & ~segment, minLane = lane & segment;
            int j;
            bool valid;
            switch (mode)
            {
                case ShuffleMode.Up: j = lane - bval; valid = j >= maxLane; break;
                case ShuffleMode.Down: j = lane + bval; valid = j <= maxLane; break;
                case ShuffleMode.Butterfly: j = lane ^ bval; valid = j <= maxLane; break;
                default: j = minLane | bval & ~segment; valid = j <= maxLane; break;
            }
            if (!valid)
            {
                j = lane;
            }
            else
            {
                inside |= 1u << lane;
            }

            if ((mask >> j & 1) != 0)
            {
                result[lane] = source[j];
            }
            else
            {
                result[lane] = Poison;
                if (w.Worker.Launch.Options.CheckShuffleSource)
                {
                    w.Report(ViolationKind.ShuffleSource, this, lane, $"reads lane {j}, which did not take part");
                }
            }
        }
        if (d >= 0)
        {
            for (uint m = mask; m != 0; m &= m - 1)
            {
                int lane = BitOperations.TrailingZeroCount(m);
                ((uint*)(r + d))[lane] = result[lane];
            }
        }

        if (p >= 0)
        {
            Predicates.Write((uint*)(r + p), inside, mask);
        }
    }
}

internal enum VoteMode { All, Any, Uniform, Ballot }

internal sealed unsafe class Vote(VoteMode mode, int d, int a, bool negated, int members) : WarpSync(members)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint value = *(uint*)(r + a);
        if (negated)
        {
            value = ~value;
        }

        value &= mask;
        if (mode == VoteMode.Ballot)
        {
            for (uint m = mask; m != 0; m &= m - 1)
            {
                ((uint*)(r + d))[BitOperations.TrailingZeroCount(m)] = value;
            }

            return;
        }
        bool yes = mode switch { VoteMode.All => value == mask, VoteMode.Any => value != 0, _ => value == mask || value == 0 };
        Predicates.Write((uint*)(r + d), yes ? uint.MaxValue : 0, mask);
    }
}

/// <summary>match.any and match.all: the mask of lanes holding the same value.</summary>
internal sealed unsafe class Match(bool all, int d, int p, int a, int width, int members) : WarpSync(members)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint* result = stackalloc uint[32];
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            result[i] = 0;
            for (uint n = mask; n != 0; n &= n - 1)
            {
                int j = BitOperations.TrailingZeroCount(n);
                if (PackMove.Read(r + a, width, i) == PackMove.Read(r + a, width, j))
                {
                    result[i] |= 1u << j;
                }
            }
        }
        bool same = result[BitOperations.TrailingZeroCount(mask)] == mask;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            ((uint*)(r + d))[i] = all ? (same ? mask : 0) : result[i];
        }
        if (p >= 0)
        {
            Predicates.Write((uint*)(r + p), same ? uint.MaxValue : 0, mask);
        }
    }
}

internal sealed unsafe class ReduceSync(string op, bool signed, int d, int a, int members) : WarpSync(members)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint* source = (uint*)(r + a);
        uint total = source[BitOperations.TrailingZeroCount(mask)];
        for (uint m = mask & (mask - 1); m != 0; m &= m - 1)
        {
            uint x = source[BitOperations.TrailingZeroCount(m)];
            total = op switch
            {
                "add" => total + x,
                "and" => total & x,
                "or" => total | x,
                "xor" => total ^ x,
                "min" => signed ? (uint)Math.Min((int)total, (int)x) : Math.Min(total, x),
                _ => signed ? (uint)Math.Max((int)total, (int)x) : Math.Max(total, x),
            };
        }
        for (uint m = mask; m != 0; m &= m - 1)
        {
            ((uint*)(r + d))[BitOperations.TrailingZeroCount(m)] = total;
        }
    }
}

/// <summary>elect.sync: predicate true in the lowest participating lane.</summary>
internal sealed unsafe class Elect(int d, int p, int members) : WarpSync(members)
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        int leader = BitOperations.TrailingZeroCount(mask);
        Predicates.Write((uint*)(w.Registers + p), 1u << leader, mask);
        if (d < 0)
        {
            return;
        }

        for (uint m = mask; m != 0; m &= m - 1)
        {
            ((uint*)(w.Registers + d))[BitOperations.TrailingZeroCount(m)] = (uint)leader;
        }
    }
}

internal sealed unsafe class ActiveMask(int d) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        for (uint m = mask; m != 0; m &= m - 1)
        {
            ((uint*)(w.Registers + d))[BitOperations.TrailingZeroCount(m)] = mask;
        }
    }
}
