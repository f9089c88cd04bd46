using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

// Shifts, bit fields, byte permutes and three-input logic (PTX ISA "Logic and Shift Instructions", "bfe", "bfi", "prmt", "lop3").

/// <summary>Shift whose amount is always a 32-bit operand and clamps at the type's width.</summary>
internal sealed unsafe class Shift(int d, int a, int b, ShiftKind kind, int bits) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        uint* amounts = (uint*)(r + b);
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            uint n = amounts[i];
            if (bits == 64)
            {
                ulong x = ((ulong*)(r + a))[i];
                ((ulong*)(r + d))[i] = kind switch
                {
                    ShiftKind.Left => n > 63 ? 0 : x << (int)n,
                    ShiftKind.RightUnsigned => n > 63 ? 0 : x >> (int)n,
                    _ => (ulong)((long)x >> (int)Math.Min(n, 63)),
                };
                continue;
            }
            uint v = ((uint*)(r + a))[i];
            uint result;
            if (bits == 32)
            {
                result = kind switch
                {
                    ShiftKind.Left => n > 31 ? 0 : v << (int)n,
                    ShiftKind.RightUnsigned => n > 31 ? 0 : v >> (int)n,
                    _ => (uint)((int)v >> (int)Math.Min(n, 31)),
                };
            }
            else
            {
                result = kind switch
                {
                    ShiftKind.Left => n > 15 ? 0u : (ushort)(v << (int)n),
                    ShiftKind.RightUnsigned => n > 15 ? 0u : (uint)((ushort)v >> (int)n),
                    _ => (ushort)((short)v >> (int)Math.Min(n, 15)),
                };
            }

            ((uint*)(r + d))[i] = result;
        }
    }
}

internal enum ShiftKind { Left, RightUnsigned, RightSigned }

internal readonly struct Lop3(byte table)
{
    public uint Apply(uint a, uint b, uint c)
    {
        uint result = 0;
        if ((table & 0x01) != 0)
        {
            result |= ~a & ~b & ~c;
        }

        if ((table & 0x02) != 0)
        {
            result |= ~a & ~b & c;
        }

        if ((table & 0x04) != 0)
        {
            result |= ~a & b & ~c;
        }

        if ((table & 0x08) != 0)
        {
            result |= ~a & b & c;
        }

        if ((table & 0x10) != 0)
        {
            result |= a & ~b & ~c;
        }

        if ((table & 0x20) != 0)
        {
            result |= a & ~b & c;
        }

        if ((table & 0x40) != 0)
        {
            result |= a & b & ~c;
        }

        if ((table & 0x80) != 0)
        {
            result |= a & b & c;
        }

        return result;
    }
}

internal sealed unsafe class Lop3Instruction(int d, int a, int b, int c, byte table) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        var op = new Lop3(table);
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ((uint*)(r + d))[i] = op.Apply(((uint*)(r + a))[i], ((uint*)(r + b))[i], ((uint*)(r + c))[i]);
        }
    }
}

internal enum PermuteMode { Index, F4E, B4E, Rc8, Ecl, Ecr, Rc16 }

internal sealed unsafe class Permute(int d, int a, int b, int c, PermuteMode mode) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ((uint*)(r + d))[i] = Apply(((uint*)(r + a))[i], ((uint*)(r + b))[i], ((uint*)(r + c))[i], mode);
        }
    }

    internal static uint Apply(uint a, uint b, uint selector, PermuteMode mode)
    {
        ulong bytes = a | (ulong)b << 32;
        int s = (int)(selector & 3);
        uint result = 0;
        for (int k = 0; k < 4; k++)
        {
            int nibble = mode switch
            {
                PermuteMode.F4E => s + k,
                PermuteMode.B4E => (s - k) & 7,
                PermuteMode.Rc8 => s,
                PermuteMode.Ecl => Math.Max(k, s),
                PermuteMode.Ecr => Math.Min(k, s),
                PermuteMode.Rc16 => (s & 1) * 2 + (k & 1),
                _ => (int)(selector >> (4 * k)) & 15,
            };
            uint value = (uint)(bytes >> (8 * (nibble & 7))) & 0xFF;
            if (mode == PermuteMode.Index && (nibble & 8) != 0)
            {
                value = (value & 0x80) != 0 ? 0xFFu : 0;
            }

            result |= value << (8 * k);
        }
        return result;
    }
}

/// <summary>bfe.type d, a, b, c: extracts c bits of a from bit b.</summary>
internal sealed unsafe class BitFieldExtract(int d, int a, int b, int c, bool signed, bool wide) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            int position = ((byte*)(r + b))[4 * i], length = ((byte*)(r + c))[4 * i];
            int top = wide ? 63 : 31;
            ulong x = wide ? ((ulong*)(r + a))[i] : ((uint*)(r + a))[i];
            ulong fill = signed && length != 0 ? x >> Math.Min(position + length - 1, top) & 1 : 0;
            ulong field = position > top ? 0 : x >> position;
            int kept = Math.Min(length, Math.Max(top + 1 - position, 0));
            ulong keep = kept >= 64 ? ulong.MaxValue : (1UL << kept) - 1;
            field &= keep;
            if (fill != 0)
            {
                field |= ~keep;
            }

            if (wide)
            {
                ((ulong*)(r + d))[i] = field;
            }
            else
            {
                ((uint*)(r + d))[i] = (uint)field;
            }
        }
    }
}

/// <summary>bfi.type f, a, b, c, d: inserts d bits of a into b at bit c.</summary>
internal sealed unsafe class BitFieldInsert(int f, int a, int b, int c, int d, bool wide) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            int position = ((byte*)(r + c))[4 * i], length = ((byte*)(r + d))[4 * i], bits = wide ? 64 : 32;
            ulong insert = wide ? ((ulong*)(r + a))[i] : ((uint*)(r + a))[i];
            ulong into = wide ? ((ulong*)(r + b))[i] : ((uint*)(r + b))[i];
            if (position < bits && length > 0)
            {
                ulong field = (length >= 64 ? ulong.MaxValue : (1UL << length) - 1) << position;
                into = into & ~field | insert << position & field;
            }
            if (wide)
            {
                ((ulong*)(r + f))[i] = into;
            }
            else
            {
                ((uint*)(r + f))[i] = (uint)into;
            }
        }
    }
}

/// <summary>shf.{l,r}.{clamp,wrap}.b32: funnel shift of the 64-bit value b:a.</summary>
internal sealed unsafe class FunnelShift(int d, int a, int b, int c, bool left, bool wrap) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            ulong value = (ulong)((uint*)(r + b))[i] << 32 | ((uint*)(r + a))[i];
            uint n = ((uint*)(r + c))[i];
            n = wrap ? n & 31 : Math.Min(n, 32);
            ((uint*)(r + d))[i] = left ? (uint)(value << (int)n >> 32) : n == 32 ? (uint)(value >> 32) : (uint)(value >> (int)n);
        }
    }
}

/// <summary>dp4a / dp2a with independent signedness of both operands.</summary>
internal sealed unsafe class DotProduct(int d, int a, int b, int c, bool signedA, bool signedB, int terms, int firstByte) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        int aBits = terms == 4 ? 8 : 16;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            uint x = ((uint*)(r + a))[i], y = ((uint*)(r + b))[i];
            int sum = ((int*)(r + c))[i];
            for (int k = 0; k < terms; k++)
            {
                int u = aBits == 8 ? Part(x >> (8 * k), signedA) : signedA ? (short)(x >> (16 * k)) : (ushort)(x >> (16 * k));
                sum += u * Part(y >> (8 * (k + firstByte)), signedB);
            }
            ((int*)(r + d))[i] = sum;
        }
    }

    private static int Part(uint value, bool signed) => signed ? (sbyte)value : (byte)value;
}

/// <summary>add.cc, addc, sub.cc, subc, mad.lo.cc ...: extended-precision arithmetic through the carry flag.</summary>
internal sealed unsafe class CarryArithmetic(int d, int a, int b, bool subtract, bool carryIn, bool carryOut, bool wide) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            UInt128 x = wide ? ((ulong*)(r + a))[i] : ((uint*)(r + a))[i];
            UInt128 y = wide ? ((ulong*)(r + b))[i] : ((uint*)(r + b))[i];
            uint carry = carryIn ? w.CarryFlags >> i & 1 : 0;
            UInt128 result = subtract ? x - y - carry : x + y + carry;
            bool borrowOrCarry = (result >> (wide ? 64 : 32)) != 0;
            if (wide)
            {
                ((ulong*)(r + d))[i] = (ulong)result;
            }
            else
            {
                ((uint*)(r + d))[i] = (uint)result;
            }

            if (carryOut)
            {
                w.CarryFlags = w.CarryFlags & ~(1u << i) | (borrowOrCarry ? 1u << i : 0);
            }
        }
    }
}
