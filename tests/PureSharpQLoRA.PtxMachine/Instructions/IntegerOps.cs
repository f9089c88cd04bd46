using System.Numerics;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.PtxMachine;

// Integer arithmetic and logic (PTX ISA "Integer Arithmetic Instructions", "Logic and Shift Instructions").
// 16-bit registers live in 32-bit lanes, so 16-bit operations take and return uint.

internal readonly struct Add32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a + b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a + b; }
internal readonly struct Sub32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a - b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a - b; }
internal readonly struct Mul32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a * b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a * b; }
internal readonly struct And32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a & b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a & b; }
internal readonly struct Or32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a | b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a | b; }
internal readonly struct Xor32 : IVectorBinary<uint> { public static uint Apply(uint a, uint b) => a ^ b; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b) => a ^ b; }
internal readonly struct Mad32 : IVectorTernary<uint> { public static uint Apply(uint a, uint b, uint c) => a * b + c; public static Vector256<uint> Apply(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) => a * b + c; }
internal readonly struct Add64 : IVectorBinary<ulong> { public static ulong Apply(ulong a, ulong b) => a + b; public static Vector256<ulong> Apply(Vector256<ulong> a, Vector256<ulong> b) => a + b; }
internal readonly struct Sub64 : IVectorBinary<ulong> { public static ulong Apply(ulong a, ulong b) => a - b; public static Vector256<ulong> Apply(Vector256<ulong> a, Vector256<ulong> b) => a - b; }
internal readonly struct And64 : IVectorBinary<ulong> { public static ulong Apply(ulong a, ulong b) => a & b; public static Vector256<ulong> Apply(Vector256<ulong> a, Vector256<ulong> b) => a & b; }
internal readonly struct Or64 : IVectorBinary<ulong> { public static ulong Apply(ulong a, ulong b) => a | b; public static Vector256<ulong> Apply(Vector256<ulong> a, Vector256<ulong> b) => a | b; }
internal readonly struct Xor64 : IVectorBinary<ulong> { public static ulong Apply(ulong a, ulong b) => a ^ b; public static Vector256<ulong> Apply(Vector256<ulong> a, Vector256<ulong> b) => a ^ b; }
internal readonly struct Mul64 : IBinary<ulong, ulong> { public static ulong Apply(ulong a, ulong b) => a * b; }
internal readonly struct Mad64 : ITernary<ulong, ulong> { public static ulong Apply(ulong a, ulong b, ulong c) => a * b + c; }
internal readonly struct Add16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)(a + b); }
internal readonly struct Sub16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)(a - b); }
internal readonly struct Mul16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)(a * b); }
internal readonly struct Mad16 : ITernary<uint, uint> { public static uint Apply(uint a, uint b, uint c) => (ushort)(a * b + c); }
internal readonly struct AddSat : IBinary<int, int> { public static int Apply(int a, int b) => (int)Math.Clamp((long)a + b, int.MinValue, int.MaxValue); }
internal readonly struct SubSat : IBinary<int, int> { public static int Apply(int a, int b) => (int)Math.Clamp((long)a - b, int.MinValue, int.MaxValue); }
internal readonly struct Add16x2 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)(a + b) | ((a >> 16) + (b >> 16)) << 16; }

internal readonly struct MulWideS32 : IBinary<int, long> { public static long Apply(int a, int b) => (long)a * b; }
internal readonly struct MulWideU32 : IBinary<uint, ulong> { public static ulong Apply(uint a, uint b) => (ulong)a * b; }
internal readonly struct MulWideS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (uint)((short)a * (short)b); }
internal readonly struct MulWideU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (uint)((ushort)a * (ushort)b); }
internal readonly struct MulHiS32 : IBinary<int, int> { public static int Apply(int a, int b) => (int)(((long)a * b) >> 32); }
internal readonly struct MulHiU32 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (uint)(((ulong)a * b) >> 32); }
internal readonly struct MulHiS64 : IBinary<long, long> { public static long Apply(long a, long b) => Math.BigMul(a, b, out _); }
internal readonly struct MulHiU64 : IBinary<ulong, ulong> { public static ulong Apply(ulong a, ulong b) => Math.BigMul(a, b, out _); }
internal readonly struct MulHiS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)(((short)a * (short)b) >> 16); }
internal readonly struct MulHiU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (uint)((ushort)a * (ushort)b) >> 16; }
internal readonly struct MadWideS32 : ITernary<int, long> { public static long Apply(int a, int b, long c) => (long)a * b + c; }
internal readonly struct MadWideU32 : ITernary<uint, ulong> { public static ulong Apply(uint a, uint b, ulong c) => (ulong)a * b + c; }
internal readonly struct MadWideS16 : ITernary<uint, uint> { public static uint Apply(uint a, uint b, uint c) => (uint)((short)a * (short)b) + c; }
internal readonly struct MadWideU16 : ITernary<uint, uint> { public static uint Apply(uint a, uint b, uint c) => (uint)((ushort)a * (ushort)b) + c; }
internal readonly struct MadHi<TMul, T> : ITernary<T, T> where TMul : struct, IBinary<T, T> where T : unmanaged, IAdditionOperators<T, T, T> { public static T Apply(T a, T b, T c) => TMul.Apply(a, b) + c; }
internal readonly struct MadSatHi : ITernary<int, int> { public static int Apply(int a, int b, int c) => AddSat.Apply(MulHiS32.Apply(a, b), c); }
internal readonly struct Mul24S : IBinary<int, int> { public static int Apply(int a, int b) => (int)((long)((a << 8) >> 8) * ((b << 8) >> 8)); }
internal readonly struct Mul24U : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (a & 0xFFFFFF) * (b & 0xFFFFFF); }
internal readonly struct SadS32 : ITernary<int, int> { public static int Apply(int a, int b, int c) => (a < b ? b - a : a - b) + c; }
internal readonly struct SadU32 : ITernary<uint, uint> { public static uint Apply(uint a, uint b, uint c) => (a < b ? b - a : a - b) + c; }

// Division by zero has no defined result in PTX; the GPU's own sequence gives all ones, which is used here.
internal readonly struct DivS32 : IBinary<int, int> { public static int Apply(int a, int b) => b == 0 ? -1 : b == -1 ? -a : a / b; }
internal readonly struct DivU32 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => b == 0 ? uint.MaxValue : a / b; }
internal readonly struct DivS64 : IBinary<long, long> { public static long Apply(long a, long b) => b == 0 ? -1 : b == -1 ? -a : a / b; }
internal readonly struct DivU64 : IBinary<ulong, ulong> { public static ulong Apply(ulong a, ulong b) => b == 0 ? ulong.MaxValue : a / b; }
internal readonly struct DivS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (short)b == 0 ? 0xFFFFu : (ushort)((short)a / (short)b); }
internal readonly struct DivU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)b == 0 ? 0xFFFFu : (uint)((ushort)a / (ushort)b); }
internal readonly struct RemS32 : IBinary<int, int> { public static int Apply(int a, int b) => b == 0 ? a : b == -1 ? 0 : a % b; }
internal readonly struct RemU32 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => b == 0 ? a : a % b; }
internal readonly struct RemS64 : IBinary<long, long> { public static long Apply(long a, long b) => b == 0 ? a : b == -1 ? 0 : a % b; }
internal readonly struct RemU64 : IBinary<ulong, ulong> { public static ulong Apply(ulong a, ulong b) => b == 0 ? a : a % b; }
internal readonly struct RemS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (short)b == 0 ? (ushort)a : (ushort)((short)a % (short)b); }
internal readonly struct RemU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (ushort)b == 0 ? (ushort)a : (uint)((ushort)a % (ushort)b); }

internal readonly struct MinN<T> : IBinary<T, T> where T : unmanaged, IComparisonOperators<T, T, bool> { public static T Apply(T a, T b) => a < b ? a : b; }
internal readonly struct MaxN<T> : IBinary<T, T> where T : unmanaged, IComparisonOperators<T, T, bool> { public static T Apply(T a, T b) => a > b ? a : b; }
internal readonly struct MinS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (short)a < (short)b ? (ushort)a : (ushort)b; }
internal readonly struct MaxS16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => (short)a > (short)b ? (ushort)a : (ushort)b; }
internal readonly struct MinU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => Math.Min((ushort)a, (ushort)b); }
internal readonly struct MaxU16 : IBinary<uint, uint> { public static uint Apply(uint a, uint b) => Math.Max((ushort)a, (ushort)b); }

internal readonly struct Neg32 : IUnary<uint, uint> { public static uint Apply(uint a) => 0 - a; }
internal readonly struct Neg64 : IUnary<ulong, ulong> { public static ulong Apply(ulong a) => 0 - a; }
internal readonly struct Neg16 : IUnary<uint, uint> { public static uint Apply(uint a) => (ushort)(0 - a); }
internal readonly struct AbsS32 : IUnary<int, int> { public static int Apply(int a) => a < 0 ? -a : a; }
internal readonly struct AbsS64 : IUnary<long, long> { public static long Apply(long a) => a < 0 ? -a : a; }
internal readonly struct AbsS16 : IUnary<uint, uint> { public static uint Apply(uint a) => (ushort)((short)a < 0 ? -(short)a : (short)a); }
internal readonly struct Not32 : IUnary<uint, uint> { public static uint Apply(uint a) => ~a; }
internal readonly struct Not64 : IUnary<ulong, ulong> { public static ulong Apply(ulong a) => ~a; }
internal readonly struct Not16 : IUnary<uint, uint> { public static uint Apply(uint a) => (ushort)~a; }
internal readonly struct CNot32 : IUnary<uint, uint> { public static uint Apply(uint a) => a == 0 ? 1u : 0u; }
internal readonly struct CNot64 : IUnary<ulong, ulong> { public static ulong Apply(ulong a) => a == 0 ? 1UL : 0UL; }
internal readonly struct Copy32 : IUnary<uint, uint> { public static uint Apply(uint a) => a; }
internal readonly struct Copy64 : IUnary<ulong, ulong> { public static ulong Apply(ulong a) => a; }
internal readonly struct Popc32 : IUnary<uint, uint> { public static uint Apply(uint a) => (uint)BitOperations.PopCount(a); }
internal readonly struct Popc64 : IUnary<ulong, uint> { public static uint Apply(ulong a) => (uint)BitOperations.PopCount(a); }
internal readonly struct Clz32 : IUnary<uint, uint> { public static uint Apply(uint a) => (uint)BitOperations.LeadingZeroCount(a); }
internal readonly struct Clz64 : IUnary<ulong, uint> { public static uint Apply(ulong a) => (uint)BitOperations.LeadingZeroCount(a); }
internal readonly struct BFindU32 : IUnary<uint, uint> { public static uint Apply(uint a) => a == 0 ? uint.MaxValue : 31u - (uint)BitOperations.LeadingZeroCount(a); }
internal readonly struct BFindS32 : IUnary<uint, uint> { public static uint Apply(uint a) => BFindU32.Apply((int)a < 0 ? ~a : a); }
internal readonly struct BFindU64 : IUnary<ulong, uint> { public static uint Apply(ulong a) => a == 0 ? uint.MaxValue : 63u - (uint)BitOperations.LeadingZeroCount(a); }
internal readonly struct BFindS64 : IUnary<ulong, uint> { public static uint Apply(ulong a) => BFindU64.Apply((long)a < 0 ? ~a : a); }
internal readonly struct BFindShift<TOp, TIn> : IUnary<TIn, uint> where TOp : struct, IUnary<TIn, uint>
{
    public static uint Apply(TIn a) { uint p = TOp.Apply(a); return p == uint.MaxValue ? p : (uint)(System.Runtime.CompilerServices.Unsafe.SizeOf<TIn>() * 8 - 1) - p; }
}
internal readonly struct Brev32 : IUnary<uint, uint>
{
    public static uint Apply(uint a)
    {
        a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
        a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
        a = (a >> 4 & 0x0F0F0F0F) | (a & 0x0F0F0F0F) << 4;
        return System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(a);
    }
}
internal readonly struct Brev64 : IUnary<ulong, ulong> { public static ulong Apply(ulong a) => (ulong)Brev32.Apply((uint)a) << 32 | Brev32.Apply((uint)(a >> 32)); }
