using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.PtxMachine;

internal interface IUnary<TIn, TOut> { static abstract TOut Apply(TIn a); }
internal interface IBinary<TIn, TOut> { static abstract TOut Apply(TIn a, TIn b); }
internal interface ITernary<TIn, TAcc> { static abstract TAcc Apply(TIn a, TIn b, TAcc c); }

/// <summary>An operation that also has a form on eight 32-bit lanes.</summary>
internal interface IVectorBinary<T> : IBinary<T, T> { static abstract Vector256<T> Apply(Vector256<T> a, Vector256<T> b); }
internal interface IVectorTernary<T> : ITernary<T, T> { static abstract Vector256<T> Apply(Vector256<T> a, Vector256<T> b, Vector256<T> c); }

internal sealed unsafe class Unary<TOp, TIn, TOut>(int d, int a) : Instruction
    where TOp : struct, IUnary<TIn, TOut> where TIn : unmanaged where TOut : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        TOut* pd = (TOut*)(r + d);
        TIn* pa = (TIn*)(r + a);
        if (mask == uint.MaxValue)
        {
            for (int i = 0; i < 32; i++)
            {
                pd[i] = TOp.Apply(pa[i]);
            }

            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            pd[i] = TOp.Apply(pa[i]);
        }
    }
}

internal sealed unsafe class Binary<TOp, TIn, TOut>(int d, int a, int b) : Instruction
    where TOp : struct, IBinary<TIn, TOut> where TIn : unmanaged where TOut : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        TOut* pd = (TOut*)(r + d);
        TIn* pa = (TIn*)(r + a), pb = (TIn*)(r + b);
        if (mask == uint.MaxValue)
        {
            for (int i = 0; i < 32; i++)
            {
                pd[i] = TOp.Apply(pa[i], pb[i]);
            }

            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            pd[i] = TOp.Apply(pa[i], pb[i]);
        }
    }
}

internal sealed unsafe class Ternary<TOp, TIn, TAcc>(int d, int a, int b, int c) : Instruction
    where TOp : struct, ITernary<TIn, TAcc> where TIn : unmanaged where TAcc : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        TAcc* pd = (TAcc*)(r + d), pc = (TAcc*)(r + c);
        TIn* pa = (TIn*)(r + a), pb = (TIn*)(r + b);
        if (mask == uint.MaxValue)
        {
            for (int i = 0; i < 32; i++)
            {
                pd[i] = TOp.Apply(pa[i], pb[i], pc[i]);
            }

            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            pd[i] = TOp.Apply(pa[i], pb[i], pc[i]);
        }
    }
}

/// <summary>A binary operation with a Vector256 form, used when all lanes are active.</summary>
internal sealed unsafe class VectorBinary<TOp, T>(int d, int a, int b) : Instruction
    where TOp : struct, IVectorBinary<T> where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        T* pd = (T*)(r + d), pa = (T*)(r + a), pb = (T*)(r + b);
        if (mask == uint.MaxValue)
        {
            for (int i = 0; i < 32; i += Vector256<T>.Count)
            {
                TOp.Apply(Vector256.Load(pa + i), Vector256.Load(pb + i)).Store(pd + i);
            }

            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            pd[i] = TOp.Apply(pa[i], pb[i]);
        }
    }
}

internal sealed unsafe class VectorTernary<TOp, T>(int d, int a, int b, int c) : Instruction
    where TOp : struct, IVectorTernary<T> where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        T* pd = (T*)(r + d), pa = (T*)(r + a), pb = (T*)(r + b), pc = (T*)(r + c);
        if (mask == uint.MaxValue)
        {
            for (int i = 0; i < 32; i += Vector256<T>.Count)
            {
                TOp.Apply(Vector256.Load(pa + i), Vector256.Load(pb + i), Vector256.Load(pc + i)).Store(pd + i);
            }

            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            pd[i] = TOp.Apply(pa[i], pb[i], pc[i]);
        }
    }
}

/// <summary>Compares two operands into a predicate, optionally combined with a third predicate (setp).</summary>
internal sealed unsafe class Compare<TOp, T>(int p, int q, int a, int b, int c, bool notC, BoolOp op) : Instruction
    where TOp : struct, IBinary<T, bool> where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        T* pa = (T*)(r + a), pb = (T*)(r + b);
        uint result = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            if (TOp.Apply(pa[i], pb[i]))
            {
                result |= 1u << i;
            }
        }
        uint inverse = ~result;
        if (op != BoolOp.None)
        {
            uint third = *(uint*)(r + c);
            if (notC)
            {
                third = ~third;
            }

            result = Combine(op, result, third);
            inverse = Combine(op, inverse, third);
        }
        if (p >= 0)
        {
            Predicates.Write((uint*)(r + p), result, mask);
        }

        if (q >= 0)
        {
            Predicates.Write((uint*)(r + q), inverse, mask);
        }
    }

    private static uint Combine(BoolOp op, uint x, uint y) => op switch { BoolOp.And => x & y, BoolOp.Or => x | y, _ => x ^ y };
}

internal enum BoolOp { None, And, Or, Xor }

internal static unsafe class Predicates
{
    public static void Write(uint* target, uint value, uint mask) => *target = *target & ~mask | value & mask;
}
