using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

// Moves, packing, conversions (PTX ISA "Data Movement and Conversion Instructions").

/// <summary>mov between a scalar register and a vector of narrower ones: both pack and unpack.</summary>
internal sealed unsafe class PackMove(int[] targets, int[] sources, int[] targetWidths, int[] sourceWidths, int elementBytes) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        ulong elementMask = elementBytes == 8 ? ulong.MaxValue : (1UL << (8 * elementBytes)) - 1;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ulong value = 0;
            if (sources.Length == 1)
            {
                value = Read(r + sources[0], sourceWidths[0], i);
            }
            else
            {
                for (int k = 0; k < sources.Length; k++)
                {
                    value |= (Read(r + sources[k], sourceWidths[k], i) & elementMask) << (8 * elementBytes * k);
                }
            }

            if (targets.Length == 1)
            {
                Write(r + targets[0], targetWidths[0], i, value);
            }
            else
            {
                for (int k = 0; k < targets.Length; k++)
                {
                    if (targets[k] >= 0)
                    {
                        Write(r + targets[k], targetWidths[k], i, (value >> (8 * elementBytes * k)) & elementMask);
                    }
                }
            }
        }
    }

    internal static ulong Read(byte* slot, int width, int lane) => width == 8 ? ((ulong*)slot)[lane] : ((uint*)slot)[lane];

    internal static void Write(byte* slot, int width, int lane, ulong value)
    {
        if (width == 8)
        {
            ((ulong*)slot)[lane] = value;
        }
        else
        {
            ((uint*)slot)[lane] = (uint)value;
        }
    }
}

/// <summary>mov of a warp-uniform value known only while running: a variable's address or a clock.</summary>
internal sealed unsafe class UniformMove(int d, int width, Func<Warp, ulong> value) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        ulong x = value(w);
        for (; mask != 0; mask &= mask - 1)
        {
            PackMove.Write(w.Registers + d, width, BitOperations.TrailingZeroCount(mask), x);
        }
    }

    public static Func<Warp, ulong>? VolatileRegister(string name) => name switch
    {
        "%clock" or "%clock64" => static w => w.Clock,
        "%clock_hi" => static w => w.Clock >> 32,
        "%globaltimer" or "%globaltimer_lo" => static _ => Nanoseconds(),
        "%globaltimer_hi" => static _ => Nanoseconds() >> 32,
        _ => null,
    };

    private static ulong Nanoseconds() => (ulong)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));
}

/// <summary>cvt between scalar types, in the general form; register slots may be wider than the types.</summary>
internal sealed unsafe class ConvertInstruction(
    int d, int a, int targetWidth, int sourceWidth, ScalarType to, ScalarType from,
    RoundMode mode, bool integral, bool flush, bool saturate, bool relu, bool saturateFinite) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ulong result = Apply(PackMove.Read(r + a, sourceWidth, i));
            if (to.IsSigned())
            {
                result = (ulong)NumberConverter.Extend(result, to); // sign-extended to a wider register
            }

            PackMove.Write(r + d, targetWidth, i, result);
        }
    }

    private ulong Apply(ulong bits)
    {
        if (!from.IsFloat())
        {
            return to.IsFloat() ? Finish(NumberConverter.IntegerToFloat(bits, from, to, mode)) : NumberConverter.IntegerToInteger(bits, from, to, saturate);
        }

        double value = NumberConverter.ToDouble(bits, from);
        if (flush && from == ScalarType.F32)
        {
            value = NumberConverter.Flush((float)value);
        }

        if (!to.IsFloat())
        {
            return NumberConverter.FloatToInteger(value, from, to, mode);
        }

        if (integral)
        {
            value = NumberConverter.RoundIntegral(value, mode);
        }

        if (saturate)
        {
            value = NumberConverter.Saturate(value);
        }

        if (relu && value < 0)
        {
            value = 0;
        }

        return Finish(NumberConverter.FromDouble(value, to, integral ? RoundMode.NearestEven : mode, saturateFinite));
    }

    private ulong Finish(ulong bits) =>
        flush && to == ScalarType.F32 ? BitConverter.SingleToUInt32Bits(NumberConverter.Flush(BitConverter.UInt32BitsToSingle((uint)bits))) : bits;
}

/// <summary>cvt.{f16x2,bf16x2}.f32 d, a, b: a becomes the upper half, b the lower.</summary>
internal sealed unsafe class ConvertPacked(int d, int a, int b, ScalarType half, RoundMode mode, bool relu, bool saturateFinite) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ((uint*)(r + d))[i] = One(((float*)(r + a))[i]) << 16 | One(((float*)(r + b))[i]);
        }
    }

    private uint One(float value) => (uint)NumberConverter.FromDouble(relu && value < 0 ? 0 : value, half, mode, saturateFinite);
}

internal readonly struct HalfToSingle<TFormat> : IUnary<uint, float> where TFormat : struct, IHalfFormat { public static float Apply(uint a) => TFormat.ToSingle(a & 0xFFFF); }
internal readonly struct SingleToHalf<TFormat> : IUnary<float, uint> where TFormat : struct, IHalfFormat { public static uint Apply(float a) => TFormat.FromSingle(a); }
internal readonly struct SignExtend32 : IUnary<int, long> { public static long Apply(int a) => a; }
internal readonly struct ZeroExtend32 : IUnary<uint, ulong> { public static ulong Apply(uint a) => a; }
internal readonly struct Truncate64 : IUnary<ulong, uint> { public static uint Apply(ulong a) => (uint)a; }
internal readonly struct S32ToF32 : IUnary<int, float> { public static float Apply(int a) => a; }

/// <summary>cvta and cvta.to: adds or removes a state space's window base; a null pointer may be cast to any space.</summary>
internal sealed unsafe class AddressCast(int d, int a, StateSpace space, bool to) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        ulong* pd = (ulong*)(w.Registers + d), pa = (ulong*)(w.Registers + a);
        ulong window = space switch { StateSpace.Shared => AddressWindows.Shared, StateSpace.Local => AddressWindows.Local, _ => 0 };
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ulong address = pa[i];
            if (to && AddressWindows.SpaceOf(address) is var actual && actual != space && actual != StateSpace.Generic)
            {
                w.Report(ViolationKind.WrongAddressSpace, this, i, $"address 0x{address:X} is a {actual.ToString().ToLowerInvariant()} address");
            }

            pd[i] = to ? address - window : address + window;
        }
    }
}

/// <summary>isspacep: tests which state space a generic address lies in.</summary>
internal sealed unsafe class IsSpace(int p, int a, StateSpace space) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        ulong* pa = (ulong*)(w.Registers + a);
        uint result = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            if (AddressWindows.SpaceOf(pa[i]) == space)
            {
                result |= 1u << i;
            }
        }
        Predicates.Write((uint*)(w.Registers + p), result, mask);
    }
}

internal sealed class NoOperation : Instruction
{
    public override void Execute(Warp w, uint mask) { }
}

/// <summary>trap and brkpt: abort the launch.</summary>
internal sealed class Trap : Instruction
{
    public override void Execute(Warp w, uint mask) => throw w.Fault(this, BitOperations.TrailingZeroCount(mask), "trap");
}
