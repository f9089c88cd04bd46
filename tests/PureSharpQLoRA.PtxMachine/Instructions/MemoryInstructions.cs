using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

// Loads and stores (PTX ISA "ld", "st"); vectors of 1, 2, 4 or 8 elements.

/// <summary>An instruction whose traffic the report classifies.</summary>
internal interface IMemoryInstruction
{
    AccessKind Access { get; }
}

internal sealed unsafe class Load(AddressRef address, ScalarType type, int[] targets, int[] widths) : Instruction, IMemoryInstruction
{
    private readonly int size = type.Size();
    private readonly bool signed = type.IsSigned();

    public AccessKind Access => AccessKind.Read;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        w.GatherAddresses(mask, address);
        w.Resolve(this, mask, address.Space, size * targets.Length, AccessKind.Read);
        for (int k = 0; k < targets.Length; k++)
        {
            if (targets[k] >= 0)
            {
                ElementAccess.Load(w.Registers + targets[k], widths[k], w.Pointers, k * size, mask, size, signed);
            }
        }
    }
}

internal sealed unsafe class Store(AddressRef address, ScalarType type, int[] sources, int[] widths) : Instruction, IMemoryInstruction
{
    private readonly int size = type.Size();

    public AccessKind Access => AccessKind.Write;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        w.GatherAddresses(mask, address);
        w.Resolve(this, mask, address.Space, size * sources.Length, AccessKind.Write);
        for (int k = 0; k < sources.Length; k++)
        {
            ElementAccess.Store(w.Registers + sources[k], widths[k], w.Pointers, k * size, mask, size);
        }
    }
}

/// <summary>ld.param of a kernel parameter: the same value for every lane.</summary>
internal sealed unsafe class LoadKernelParam(int offset, ScalarType type, int[] targets, int[] widths) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        int size = type.Size();
        fixed (byte* p = w.Worker.Launch.Parameters)
        {
            byte** pointers = w.Pointers;
            for (int i = 0; i < 32; i++)
            {
                pointers[i] = p + offset;
            }

            for (int k = 0; k < targets.Length; k++)
            {
                if (targets[k] >= 0)
                {
                    ElementAccess.Load(w.Registers + targets[k], widths[k], pointers, k * size, mask, size, type.IsSigned());
                }
            }
        }
    }
}

/// <summary>ld.param and st.param of function parameters, which are per-lane bytes in the frame.</summary>
internal sealed unsafe class FrameParamAccess(bool store, ParamSymbol param, int offset, ScalarType type, int[] slots, int[] widths) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        byte** pointers = w.Pointers;
        for (int i = 0; i < 32; i++)
        {
            pointers[i] = w.Registers + param.Offset + i * param.LaneStride + offset;
        }

        int size = type.Size();
        for (int k = 0; k < slots.Length; k++)
        {
            if (slots[k] < 0)
            {
                continue;
            }

            if (store)
            {
                ElementAccess.Store(w.Registers + slots[k], widths[k], pointers, k * size, mask, size);
            }
            else
            {
                ElementAccess.Load(w.Registers + slots[k], widths[k], pointers, k * size, mask, size, type.IsSigned());
            }
        }
    }
}

/// <summary>Copies one element per lane between host pointers and a register slot.</summary>
internal static unsafe class ElementAccess
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(byte* slot, int width, byte** pointers, int offset, uint mask, int size, bool signed)
    {
        if (width == 4 && size == 4)
        {
            uint* target = (uint*)slot;
            for (; mask != 0; mask &= mask - 1)
            {
                int i = BitOperations.TrailingZeroCount(mask);
                target[i] = *(uint*)(pointers[i] + offset);
            }
            return;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            byte* p = pointers[i] + offset;
            ulong value = (size, signed) switch
            {
                (1, false) => *p,
                (1, true) => (ulong)*(sbyte*)p,
                (2, false) => *(ushort*)p,
                (2, true) => (ulong)*(short*)p,
                (4, false) => *(uint*)p,
                (4, true) => (ulong)*(int*)p,
                _ => *(ulong*)p,
            };
            PackMove.Write(slot, width, i, value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(byte* slot, int width, byte** pointers, int offset, uint mask, int size)
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            Write(pointers[i] + offset, size, PackMove.Read(slot, width, i));
        }
    }

    public static ulong Read(byte* p, int size) => size switch { 1 => *p, 2 => *(ushort*)p, 4 => *(uint*)p, _ => *(ulong*)p };

    public static void Write(byte* p, int size, ulong value)
    {
        switch (size)
        {
            case 1: *p = (byte)value; break;
            case 2: *(ushort*)p = (ushort)value; break;
            case 4: *(uint*)p = (uint)value; break;
            default: *(ulong*)p = value; break;
        }
    }
}
