using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// The generic address space: 64 GiB windows, of which the first few hold the shared, local and parameter
/// windows and every later one holds a single global allocation, so an overrun can never reach a neighbour.
/// </summary>
internal static class AddressWindows
{
    public const int Shift = 36;
    // not multiples of the window size, so that a global pointer cast to the wrong space cannot hit another allocation
    public const ulong Shared = (1UL << Shift) + (1UL << 35);
    public const ulong Local = (2UL << Shift) + (1UL << 34);
    public const ulong Param = 3UL << Shift;
    public const int FirstGlobal = 16;
    /// <summary>Offset of the first byte in the shared and local spaces, so that 0 stays a bad address there.</summary>
    public const uint SharedBase = 1024, LocalBase = 256;
    /// <summary>Offset of an allocation in its window: 256-byte aligned and no more.</summary>
    public const ulong GlobalOffset = 0x100;

    public static StateSpace SpaceOf(ulong address) => (int)(address >> Shift) switch
    {
        1 => StateSpace.Shared,
        2 => StateSpace.Local,
        3 => StateSpace.Param,
        >= FirstGlobal => StateSpace.Global,
        _ => StateSpace.Generic,
    };
}

/// <summary>One global allocation with a shadow byte per byte (0 = never written, 1 = written).</summary>
internal sealed unsafe class Allocation
{
    public Allocation(ulong address, long size, string name, bool readOnly)
    {
        Address = address;
        Size = size;
        Name = name;
        ReadOnly = readOnly;
        nuint length = (nuint)Math.Max(size, 1);
        Data = (byte*)NativeMemory.AlignedAlloc(length, 64);
        Shadow = (byte*)NativeMemory.AllocZeroed(length);
        new Span<byte>(Data, (int)Math.Min(size, int.MaxValue)).Fill(0xFF);
    }

    public ulong Address { get; }
    public long Size { get; }
    public string Name { get; }
    public bool ReadOnly { get; }
    public bool Freed { get; private set; }
    public byte* Data { get; private set; }
    public byte* Shadow { get; private set; }

    public void Free()
    {
        if (Freed)
        {
            return;
        }

        Freed = true;
        NativeMemory.AlignedFree(Data);
        NativeMemory.Free(Shadow);
        Data = Shadow = null;
    }
}

/// <summary>Global and constant memory.</summary>
internal sealed class DeviceMemory : IDisposable
{
    private readonly List<Allocation> allocations = [];

    public Lock AtomicLock { get; } = new();

    public Allocation Allocate(long size, string? name, bool readOnly = false)
    {
        lock (allocations)
        {
            int slot = AddressWindows.FirstGlobal + allocations.Count;
            ulong address = ((ulong)slot << AddressWindows.Shift) + AddressWindows.GlobalOffset;
            var allocation = new Allocation(address, size, name ?? $"allocation {allocations.Count}", readOnly);
            allocations.Add(allocation);
            return allocation;
        }
    }

    /// <summary>The live allocation that contains all of [address, address + bytes), or null.</summary>
    public Allocation? Find(ulong address, long bytes)
    {
        Allocation? a = At(address);
        if (a == null || a.Freed)
        {
            return null;
        }

        ulong offset = address - a.Address;
        return offset <= (ulong)a.Size && (ulong)a.Size - offset >= (ulong)bytes ? a : null;
    }

    /// <summary>Says where a bad address lies relative to the nearest allocation.</summary>
    public string Describe(ulong address)
    {
        Allocation? nearest = null;
        Int128 best = Int128.MaxValue;
        foreach (Allocation a in allocations)
        {
            Int128 distance = Distance(a, address);
            if (distance < best)
            {
                (best, nearest) = (distance, a);
            }
        }
        if (nearest == null)
        {
            return "there are no allocations";
        }

        string place = nearest.Freed ? "lies in freed memory of" : address < nearest.Address
            ? $"is {nearest.Address - address} bytes before"
            : $"is at offset {address - nearest.Address} of";
        return $"address 0x{address:X} {place} '{nearest.Name}' (0x{nearest.Address:X}, {nearest.Size} bytes)";
    }

    private static Int128 Distance(Allocation a, ulong address) =>
        address < a.Address ? (Int128)a.Address - address
        : address >= a.Address + (ulong)a.Size ? (Int128)address - (a.Address + (ulong)a.Size) + 1 : 0;

    public void Dispose()
    {
        foreach (Allocation a in allocations)
        {
            a.Free();
        }
    }

    private Allocation? At(ulong address)
    {
        ulong slot = (address >> AddressWindows.Shift) - AddressWindows.FirstGlobal;
        return slot < (ulong)allocations.Count ? allocations[(int)slot] : null;
    }
}
