using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>Native memory that the garbage collector never sees or moves, aligned for vectors, with a vector of slack behind every block.</summary>
internal sealed unsafe partial class CpuAllocator : IDeviceAllocator
{
    private const int Alignment = 64;
    private const long Slack = 128;
    private const long HugePage = 2L << 20;
    private const int AdviseHugePages = 14;

    public bool TryAllocate(long bytes, out nint address)
    {
        // Vector loads may run past the last element, and packed operands are read a whole tile at a time.
        nuint allocated = (nuint)(bytes + Slack);
        bool huge = OperatingSystem.IsLinux() && bytes >= 8 * HugePage;
        void* block;
        try
        {
            block = NativeMemory.AlignedAlloc(allocated, huge ? (nuint)HugePage : Alignment);
        }
        catch (OutOfMemoryException)
        {
            address = 0;
            return false;
        }

        if (huge)
        {
            // Only a hint: weights are read with long strides, and 4 KB pages cost address translations.
            _ = Advise(block, allocated / (nuint)HugePage * (nuint)HugePage, AdviseHugePages);
        }

        // The slack is read (never used), so it must not hold a signalling pattern or another block's secrets.
        NativeMemory.Clear((byte*)block + bytes, (nuint)Slack);
        address = (nint)block;
        return true;
    }

    public void Free(nint address, long bytes) => NativeMemory.AlignedFree((void*)address);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
