using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

internal enum AccessKind { Read, Write, Atomic }

/// <summary>How an instruction forms an address: a register, a symbol or a constant, plus a constant offset.</summary>
internal readonly record struct AddressRef(int Slot, int Width, long Offset, StateSpace Space, int ModuleIndex, bool FrameLocal);

/// <summary>Address translation and checking for the lanes of a warp.</summary>
internal sealed unsafe partial class Warp
{
    private byte* localData, localState;
    private uint localSize;
    private Allocation? lastAllocation;

    /// <summary>Fills <see cref="Addresses"/> for the active lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void GatherAddresses(uint mask, in AddressRef reference)
    {
        ulong add = (ulong)reference.Offset;
        if (reference.ModuleIndex >= 0)
        {
            add += Worker.Launch.VariableAddresses[reference.ModuleIndex];
        }

        if (reference.FrameLocal)
        {
            add += LocalBase;
        }

        byte* slot = Registers + reference.Slot;
        for (; mask != 0; mask &= mask - 1)
        {
            int i = BitOperations.TrailingZeroCount(mask);
            Addresses[i] = add + (reference.Slot < 0 ? 0 : reference.Width == 8 ? ((ulong*)slot)[i] : ((uint*)slot)[i]);
        }
    }

    /// <summary>
    /// Translates the gathered addresses to host pointers in <see cref="Pointers"/>, checking bounds, alignment,
    /// initialisation and races, and counting traffic.
    /// </summary>
    public void Resolve(Instruction ins, uint mask, StateSpace space, int bytes, AccessKind kind, int alignment = 0)
    {
        if (alignment == 0)
        {
            alignment = bytes;
        }

        switch (space)
        {
            case StateSpace.Global or StateSpace.Const: ResolveGlobal(ins, mask, bytes, kind, alignment); break;
            case StateSpace.Shared: ResolveShared(ins, mask, bytes, kind, alignment, 0); break;
            case StateSpace.Local: ResolveLocal(ins, mask, bytes, kind, alignment, 0); break;
            default: ResolveGeneric(ins, mask, bytes, kind, alignment); break;
        }
    }

    private void ResolveGeneric(Instruction ins, uint mask, int bytes, AccessKind kind, int alignment)
    {
        uint shared = 0, local = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            ulong window = Addresses[i] >> AddressWindows.Shift;
            if (window == 1)
            {
                shared |= 1u << i;
            }
            else if (window == 2)
            {
                local |= 1u << i;
            }
        }
        uint global = mask & ~shared & ~local;
        if (shared != 0)
        {
            ResolveShared(ins, shared, bytes, kind, alignment, AddressWindows.Shared);
        }

        if (local != 0)
        {
            ResolveLocal(ins, local, bytes, kind, alignment, AddressWindows.Local);
        }

        if (global != 0)
        {
            ResolveGlobal(ins, global, bytes, kind, alignment);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ResolveGlobal(Instruction ins, uint mask, int bytes, AccessKind kind, int alignment)
    {
        MachineOptions options = Worker.Launch.Options;
        Allocation? current = lastAllocation;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            ulong address = Addresses[i];
            if ((address & (ulong)(alignment - 1)) != 0)
            {
                throw Misaligned(ins, i, address, alignment, "global");
            }

            if (current == null || !Contains(current, address, bytes))
            {
                current = Worker.Launch.Memory.Find(address, bytes)
                    ?? throw Fault(ins, i, $"out-of-bounds global {Verb(kind)} of {bytes} bytes: {Worker.Launch.Memory.Describe(address)}", address);
            }
            if (current.ReadOnly && kind != AccessKind.Read)
            {
                throw Fault(ins, i, $"write to constant memory '{current.Name}'", address);
            }

            ulong offset = address - current.Address;
            Pointers[i] = current.Data + offset;
            byte* shadow = current.Shadow + offset;
            if (kind != AccessKind.Write && options.CheckUninitialized && !AllWritten(shadow, bytes))
            {
                Report(ViolationKind.UninitializedRead, ins, i, $"global {Verb(kind)} of {bytes} bytes never written: {Worker.Launch.Memory.Describe(address)}");
            }

            if (kind != AccessKind.Read)
            {
                Unsafe.InitBlock(shadow, ByteState.Written, (uint)bytes);
            }
        }
        lastAllocation = current;
        if (options.CountMemoryTraffic)
        {
            TrafficCounter.Global(ref Worker.Stats[ins.Index], Addresses, mask, bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ResolveShared(Instruction ins, uint mask, int bytes, AccessKind kind, int alignment, ulong window)
    {
        MachineOptions options = Worker.Launch.Options;
        SharedMemory shared = Block.Shared;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            ulong offset = SharedOffset(ins, i, Addresses[i] - window, bytes, kind, alignment);
            Pointers[i] = shared.Data + offset;
            byte* state = shared.State + offset;
            if (kind == AccessKind.Write)
            {
                Unsafe.InitBlock(state, ByteState.Written, (uint)bytes);
            }
            else if (!AllWritten(state, bytes))
            {
                ReportState(ins, i, state, bytes, offset, kind);
            }

            if (shared.ChecksRaces)
            {
                CheckRace(ins, i, (int)offset, bytes, kind);
            }
        }
        if (options.CountMemoryTraffic)
        {
            TrafficCounter.Shared(ref Worker.Stats[ins.Index], Addresses, mask, bytes);
        }
    }

    /// <summary>Offset in the block's shared memory of a checked shared-space address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong SharedOffset(Instruction ins, int lane, ulong address, int bytes, AccessKind kind, int alignment)
    {
        ulong offset = address - AddressWindows.SharedBase;
        SharedMemory shared = Block.Shared;
        if ((address & (ulong)(alignment - 1)) != 0)
        {
            throw Misaligned(ins, lane, address, alignment, "shared");
        }
        // the gaps between variables are wider than any access, so its two ends decide
        bool outside = offset >= (ulong)shared.Size || (ulong)shared.Size - offset < (ulong)bytes
            || shared.State[offset] == ByteState.Unaddressable || shared.State[offset + (ulong)bytes - 1] == ByteState.Unaddressable;
        if (outside)
        {
            throw SharedOutside(ins, lane, address, bytes, kind);
        }

        return offset;
    }

    private PtxFaultException SharedOutside(Instruction ins, int lane, ulong address, int bytes, AccessKind kind) =>
        Fault(ins, lane, $"out-of-bounds shared {Verb(kind)} of {bytes} bytes at shared address {address}: {Worker.Launch.Module.DescribeShared(address, Worker.Launch)}", address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CheckRace(Instruction ins, int lane, int offset, int bytes, AccessKind kind)
    {
        SharedMemory shared = Block.Shared;
        int other = kind == AccessKind.Read ? shared.Read(offset, bytes, Id) : shared.Write(offset, bytes, Id, kind == AccessKind.Atomic);
        if (other >= 0)
        {
            ReportRace(ins, lane, offset, bytes, kind, other);
        }
    }

    private void ReportRace(Instruction ins, int lane, int offset, int bytes, AccessKind kind, int other) =>
        Report(ViolationKind.SharedRace, ins, lane, $"{Verb(kind)} of {bytes} shared bytes by warp {Id} is not ordered against an access of warp {other}: {Worker.Launch.Module.DescribeShared((ulong)offset + AddressWindows.SharedBase, Worker.Launch)}");

    private void ReportState(Instruction ins, int lane, byte* state, int bytes, ulong offset, AccessKind kind)
    {
        bool pending = false;
        for (int k = 0; k < bytes; k++)
        {
            pending |= state[k] == ByteState.AsyncPending;
        }

        string where = Worker.Launch.Module.DescribeShared(offset + AddressWindows.SharedBase, Worker.Launch);
        if (pending)
        {
            Report(ViolationKind.AsyncCopyInFlight, ins, lane, $"shared {Verb(kind)} of bytes whose cp.async has not been waited for: {where}");
        }
        else if (Worker.Launch.Options.CheckUninitialized)
        {
            Report(ViolationKind.UninitializedRead, ins, lane, $"shared {Verb(kind)} of {bytes} bytes never written: {where}");
        }

        if (kind == AccessKind.Atomic)
        {
            Unsafe.InitBlock(state, ByteState.Written, (uint)bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ResolveLocal(Instruction ins, uint mask, int bytes, AccessKind kind, int alignment, ulong window)
    {
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            ulong offset = Addresses[i] - window;
            if ((offset & (ulong)(alignment - 1)) != 0)
            {
                throw Misaligned(ins, i, offset, alignment, "local");
            }

            if (offset < AddressWindows.LocalBase || offset + (ulong)bytes > localSize)
            {
                throw Fault(ins, i, $"out-of-bounds local {Verb(kind)} of {bytes} bytes at local address {offset} (the thread has {AddressWindows.LocalBase}..{localSize})", offset);
            }

            ulong at = (ulong)i * localSize + offset;
            Pointers[i] = localData + at;
            if (kind == AccessKind.Write)
            {
                Unsafe.InitBlock(localState + at, ByteState.Written, (uint)bytes);
            }
            else if (Worker.Launch.Options.CheckUninitialized && !AllWritten(localState + at, bytes))
            {
                Report(ViolationKind.UninitializedRead, ins, i, $"local read of {bytes} bytes never written at local address {offset}");
            }
        }
    }

    private void EnsureLocal(uint size)
    {
        if (size <= localSize || size == AddressWindows.LocalBase)
        {
            return;
        }

        byte* data = (byte*)NativeMemory.AllocZeroed(size, 32), state = (byte*)NativeMemory.AllocZeroed(size, 32);
        for (uint i = 0; localData != null && i < 32; i++)
        {
            Buffer.MemoryCopy(localData + i * localSize, data + i * size, size, localSize);
            Buffer.MemoryCopy(localState + i * localSize, state + i * size, size, localSize);
        }
        FreeLocal();
        localData = data;
        localState = state;
        localSize = size;
    }

    private void ResetLocal()
    {
        if (localData != null)
        {
            new Span<byte>(localState, (int)(32 * localSize)).Clear();
        }
    }

    private void FreeLocal()
    {
        NativeMemory.Free(localData);
        NativeMemory.Free(localState);
        localData = localState = null;
        localSize = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Contains(Allocation a, ulong address, int bytes)
    {
        ulong offset = address - a.Address;
        return !a.Freed && offset <= (ulong)a.Size && (ulong)a.Size - offset >= (ulong)bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AllWritten(byte* state, int bytes) => bytes switch
    {
        4 => Unsafe.ReadUnaligned<uint>(state) == 0x01010101,
        8 => Unsafe.ReadUnaligned<ulong>(state) == 0x0101010101010101,
        16 => Unsafe.ReadUnaligned<ulong>(state) == 0x0101010101010101 && Unsafe.ReadUnaligned<ulong>(state + 8) == 0x0101010101010101,
        2 => Unsafe.ReadUnaligned<ushort>(state) == 0x0101,
        1 => *state == 1,
        _ => new ReadOnlySpan<byte>(state, bytes).IndexOfAnyExcept((byte)1) < 0,
    };

    private PtxFaultException Misaligned(Instruction ins, int lane, ulong address, int alignment, string space) =>
        Fault(ins, lane, $"misaligned {space} address 0x{address:X}, must be a multiple of {alignment}", address);

    private static string Verb(AccessKind kind) => kind switch { AccessKind.Read => "read", AccessKind.Write => "write", _ => "atomic" };
}
