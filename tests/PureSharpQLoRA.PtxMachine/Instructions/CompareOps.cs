using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

// Comparisons (PTX ISA "Comparison and Selection Instructions", "Integer Comparisons", "Floating Point Comparisons").

internal readonly struct EqN<T> : IBinary<T, bool> where T : unmanaged, IEqualityOperators<T, T, bool> { public static bool Apply(T a, T b) => a == b; }
internal readonly struct NeN<T> : IBinary<T, bool> where T : unmanaged, IEqualityOperators<T, T, bool> { public static bool Apply(T a, T b) => a != b; }
internal readonly struct LtN<T> : IBinary<T, bool> where T : unmanaged, IComparisonOperators<T, T, bool> { public static bool Apply(T a, T b) => a < b; }
internal readonly struct LeN<T> : IBinary<T, bool> where T : unmanaged, IComparisonOperators<T, T, bool> { public static bool Apply(T a, T b) => a <= b; }
internal readonly struct GtN<T> : IBinary<T, bool> where T : unmanaged, IComparisonOperators<T, T, bool> { public static bool Apply(T a, T b) => a > b; }
internal readonly struct GeN<T> : IBinary<T, bool> where T : unmanaged, IComparisonOperators<T, T, bool> { public static bool Apply(T a, T b) => a >= b; }
/// <summary>An ordered not-equal: false when either operand is NaN.</summary>
internal readonly struct OrderedNe<T> : IBinary<T, bool> where T : unmanaged, IFloatingPointIeee754<T> { public static bool Apply(T a, T b) => a < b || a > b; }
/// <summary>The unordered form of a comparison: true when either operand is NaN.</summary>
internal readonly struct Unordered<TOp, T> : IBinary<T, bool> where TOp : struct, IBinary<T, bool> where T : unmanaged, IFloatingPointIeee754<T> { public static bool Apply(T a, T b) => T.IsNaN(a) || T.IsNaN(b) || TOp.Apply(a, b); }
internal readonly struct BothNumbers<T> : IBinary<T, bool> where T : unmanaged, IFloatingPointIeee754<T> { public static bool Apply(T a, T b) => !T.IsNaN(a) && !T.IsNaN(b); }
internal readonly struct EitherNaN<T> : IBinary<T, bool> where T : unmanaged, IFloatingPointIeee754<T> { public static bool Apply(T a, T b) => T.IsNaN(a) || T.IsNaN(b); }

/// <summary>Compares 16-bit integers kept in 32-bit lanes.</summary>
internal readonly struct Short<TOp> : IBinary<uint, bool> where TOp : struct, IBinary<int, bool> { public static bool Apply(uint a, uint b) => TOp.Apply((short)a, (short)b); }
internal readonly struct UShort<TOp> : IBinary<uint, bool> where TOp : struct, IBinary<int, bool> { public static bool Apply(uint a, uint b) => TOp.Apply((ushort)a, (ushort)b); }
/// <summary>Compares 16-bit floats as single precision.</summary>
internal readonly struct HalfCompare<TFormat, TOp> : IBinary<uint, bool> where TFormat : struct, IHalfFormat where TOp : struct, IBinary<float, bool> { public static bool Apply(uint a, uint b) => TOp.Apply(TFormat.ToSingle(a & 0xFFFF), TFormat.ToSingle(b & 0xFFFF)); }
internal readonly struct FtzCompare<TOp> : IBinary<float, bool> where TOp : struct, IBinary<float, bool> { public static bool Apply(float a, float b) => TOp.Apply(NumberConverter.Flush(a), NumberConverter.Flush(b)); }

internal enum TestKind { Finite, Infinite, Number, NotANumber, Normal, Subnormal }

/// <summary>testp: classifies a float or double.</summary>
internal sealed unsafe class TestProperty(int p, int a, bool wide, TestKind kind) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint result = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            bool yes = wide ? Test(((double*)(r + a))[i]) : Test(((float*)(r + a))[i]);
            if (yes)
            {
                result |= 1u << i;
            }
        }
        Predicates.Write((uint*)(r + p), result, mask);
    }

    private bool Test<T>(T x) where T : IFloatingPointIeee754<T> => kind switch
    {
        TestKind.Finite => T.IsFinite(x),
        TestKind.Infinite => T.IsInfinity(x),
        TestKind.Number => !T.IsNaN(x),
        TestKind.NotANumber => T.IsNaN(x),
        TestKind.Normal => T.IsNormal(x),
        _ => T.IsSubnormal(x),
    };
}

/// <summary>Logic on predicate registers: and, or, xor, not and mov of mask words.</summary>
internal sealed unsafe class PredicateLogic(int d, int a, bool notA, int b, bool notB, PredicateOp op) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint x = *(uint*)(r + a), y = b < 0 ? 0 : *(uint*)(r + b);
        if (notA)
        {
            x = ~x;
        }

        if (notB)
        {
            y = ~y;
        }

        Predicates.Write((uint*)(r + d), op switch
        {
            PredicateOp.And => x & y,
            PredicateOp.Or => x | y,
            PredicateOp.Xor => x ^ y,
            PredicateOp.Not => ~x,
            _ => x,
        }, mask);
    }
}

internal enum PredicateOp { And, Or, Xor, Not, Copy }

/// <summary>selp: picks a or b by a predicate.</summary>
internal sealed unsafe class Select(int d, int a, int b, int p, bool negated, bool wide) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint pick = *(uint*)(r + p);
        if (negated)
        {
            pick = ~pick;
        }

        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            byte* source = r + ((pick >> i & 1) != 0 ? a : b);
            if (wide)
            {
                ((ulong*)(r + d))[i] = ((ulong*)source)[i];
            }
            else
            {
                ((uint*)(r + d))[i] = ((uint*)source)[i];
            }
        }
    }
}

/// <summary>slct: picks a where c is at least zero, else b.</summary>
internal sealed unsafe class SelectBySign(int d, int a, int b, int c, bool floatSign, bool wide) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            bool first = floatSign ? ((float*)(r + c))[i] >= 0 : ((int*)(r + c))[i] >= 0;
            byte* source = r + (first ? a : b);
            if (wide)
            {
                ((ulong*)(r + d))[i] = ((ulong*)source)[i];
            }
            else
            {
                ((uint*)(r + d))[i] = ((uint*)source)[i];
            }
        }
    }
}

/// <summary>set: writes all ones (or 1.0f) where the comparison's predicate holds.</summary>
internal sealed unsafe class PredicateToValue(int d, int p, uint yes) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint bits = *(uint*)(r + p);
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ((uint*)(r + d))[i] = (bits >> i & 1) != 0 ? yes : 0;
        }
    }
}
