using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>atom and red (PTX ISA "Parallel Synchronization: atom, red"): lanes apply one after another, lowest first.</summary>
internal sealed unsafe class Atomic(
    AddressRef address, ScalarType type, int d, int b, int c, int width, Func<ulong, ulong, ulong, ulong> operation) : Instruction, IMemoryInstruction
{
    private readonly int size = type.Size();

    public AccessKind Access => AccessKind.Atomic;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        w.GatherAddresses(mask, address);
        w.Resolve(this, mask, address.Space, size, AccessKind.Atomic);
        if (w.Worker.Launch.Options.HostThreads > 1)
        {
            lock (w.Worker.Launch.Memory.AtomicLock)
            {
                Apply(w, mask);
            }
        }
        else
        {
            Apply(w, mask);
        }
    }

    private void Apply(Warp w, uint mask)
    {
        byte* r = w.Registers;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            byte* p = w.Pointers[i];
            ulong old = ElementAccess.Read(p, size);
            ulong vb = PackMove.Read(r + b, width, i), vc = c < 0 ? 0 : PackMove.Read(r + c, width, i);
            ElementAccess.Write(p, size, operation(old, vb, vc));
            if (d >= 0)
            {
                PackMove.Write(r + d, width, i, old);
            }
        }
    }

    /// <summary>The function of an operation and type, or null where PTX has no such combination.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Operation(string name, ScalarType type) => (name, type) switch
    {
        ("cas", _) => static (old, b, c) => old == b ? c : old,
        ("exch", _) => static (_, b, _) => b,
        ("and", ScalarType.B32 or ScalarType.B64) => static (old, b, _) => old & b,
        ("or", ScalarType.B32 or ScalarType.B64) => static (old, b, _) => old | b,
        ("xor", ScalarType.B32 or ScalarType.B64) => static (old, b, _) => old ^ b,
        ("add", ScalarType.U32 or ScalarType.S32 or ScalarType.U64 or ScalarType.S64) => static (old, b, _) => old + b,
        ("inc", ScalarType.U32) => static (old, b, _) => (uint)old >= (uint)b ? 0 : old + 1,
        ("dec", ScalarType.U32) => static (old, b, _) => (uint)old == 0 || (uint)old > (uint)b ? b : old - 1,
        ("min", ScalarType.U32 or ScalarType.U64) => static (old, b, _) => Math.Min(old, b),
        ("max", ScalarType.U32 or ScalarType.U64) => static (old, b, _) => Math.Max(old, b),
        ("min", ScalarType.S32) => static (old, b, _) => (uint)Math.Min((int)old, (int)b),
        ("max", ScalarType.S32) => static (old, b, _) => (uint)Math.Max((int)old, (int)b),
        ("min", ScalarType.S64) => static (old, b, _) => (ulong)Math.Min((long)old, (long)b),
        ("max", ScalarType.S64) => static (old, b, _) => (ulong)Math.Max((long)old, (long)b),
        ("add", ScalarType.F32) => static (old, b, _) => BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle((uint)old) + BitConverter.UInt32BitsToSingle((uint)b)),
        ("add", ScalarType.F64) => static (old, b, _) => BitConverter.DoubleToUInt64Bits(BitConverter.UInt64BitsToDouble(old) + BitConverter.UInt64BitsToDouble(b)),
        ("add", ScalarType.F16) => static (old, b, _) => Half2<HalfFormat, AddF32>.Apply((uint)old, (uint)b),
        ("add", ScalarType.BF16) => static (old, b, _) => Half2<BFloatFormat, AddF32>.Apply((uint)old, (uint)b),
        ("add", ScalarType.F16x2) => static (old, b, _) => Packed2<Half2<HalfFormat, AddF32>>.Apply((uint)old, (uint)b),
        ("add", ScalarType.BF16x2) => static (old, b, _) => Packed2<Half2<BFloatFormat, AddF32>>.Apply((uint)old, (uint)b),
        _ => null,
    };
}
