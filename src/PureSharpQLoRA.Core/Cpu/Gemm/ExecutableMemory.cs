using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// Holds machine code that was assembled at run time. The pages are never writable and executable at
/// the same time: they are mapped read+write, filled once, and then turned into read+execute.
/// </summary>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private const int ProtectionReadWrite = 0x1 | 0x2;
    private const int ProtectionReadExecute = 0x1 | 0x4;
    private const int MapPrivate = 0x02;
    private const int MapAnonymousLinux = 0x20;
    private const int MapAnonymousMacOs = 0x1000;

    private const uint WindowsCommitAndReserve = 0x1000 | 0x2000;
    private const uint WindowsRelease = 0x8000;
    private const uint WindowsReadWrite = 0x04;
    private const uint WindowsExecuteRead = 0x20;

    private readonly nuint _length;
    private void* _address;

    public ExecutableMemory(ReadOnlySpan<byte> machineCode)
    {
        ArgumentOutOfRangeException.ThrowIfZero(machineCode.Length);
        nuint page = (nuint)Environment.SystemPageSize;
        _length = ((nuint)machineCode.Length + page - 1) / page * page;
        _address = AllocateReadWrite(_length);
        machineCode.CopyTo(new Span<byte>(_address, machineCode.Length));
        try
        {
            MakeReadExecute(_address, _length);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    ~ExecutableMemory() => Free();

    public void* EntryPoint
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == null, this);
            return _address;
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static void* AllocateReadWrite(nuint length)
    {
        if (OperatingSystem.IsWindows())
        {
            void* block = VirtualAlloc(null, length, WindowsCommitAndReserve, WindowsReadWrite);
            return block != null ? block : throw LastError("VirtualAlloc");
        }

        int anonymous = OperatingSystem.IsMacOS() ? MapAnonymousMacOs : MapAnonymousLinux;
        void* mapping = MapMemory(null, length, ProtectionReadWrite, MapPrivate | anonymous, -1, 0);
        return (nint)mapping != -1 ? mapping : throw LastError("mmap");
    }

    private static void MakeReadExecute(void* address, nuint length)
    {
        if (OperatingSystem.IsWindows())
        {
            if (VirtualProtect(address, length, WindowsExecuteRead, out _) == 0)
            {
                throw LastError("VirtualProtect");
            }

            FlushInstructionCache(-1, address, length);
        }
        else if (ProtectMemory(address, length, ProtectionReadExecute) != 0)
        {
            throw LastError("mprotect");
        }
    }

    private void Free()
    {
        void* address = _address;
        _address = null;
        if (address == null)
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            VirtualFree(address, 0, WindowsRelease);
        }
        else
        {
            UnmapMemory(address, _length);
        }
    }

    private static InvalidOperationException LastError(string call) =>
        new($"{call} failed ({Marshal.GetLastPInvokeErrorMessage()}): this system lets no program run code that it assembled, so choose fp32 "
            + "instead of bf16 products.");

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* MapMemory(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int ProtectMemory(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int UnmapMemory(void* address, nuint length);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial void* VirtualAlloc(void* address, nuint size, uint allocationType, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualProtect(void* address, nuint size, uint newProtection, out uint oldProtection);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualFree(void* address, nuint size, uint freeType);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int FlushInstructionCache(nint process, void* address, nuint size);
}
