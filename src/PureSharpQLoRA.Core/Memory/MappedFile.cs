using System.IO.MemoryMappedFiles;

namespace PureSharpQLoRA.Core;

/// <summary>
/// A file whose pages are tensor memory: read-only, brought in by the operating system on first touch and shared between processes.
/// The mapping ends when it was disposed and no tensor made by <see cref="TensorScope.Wrap"/> holds it any more.
/// </summary>
/// <remarks>
/// The file begins at a page, but what is stored in it need not be aligned: safetensors aligns its data to 8 bytes only, where pool memory is
/// aligned to 64, and behind the file's end there is no readable slack. Operations on such tensors use unaligned loads and stop at the last element.
/// Writing to the pages ends the process, and so does reading them after another program has shortened the file.
/// As with all device buffers, holders are counted without locks: use it from one thread.
/// </remarks>
public sealed unsafe class MappedFile : IDeviceBufferOwner, IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private bool _disposed;

    private MappedFile(MemoryMappedFile file, MemoryMappedViewAccessor view, nint address, long bytes)
    {
        _file = file;
        _view = view;
        Buffer = new DeviceBuffer(this, address, bytes) { Purpose = MemoryPurpose.Weights };
        Buffer.AddReference();
    }

    /// <summary>The whole file as memory of the CPU.</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file is empty or cannot be mapped.</exception>
    public static MappedFile Open(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        long length = stream.Length;
        if (length == 0)
        {
            throw new IOException($"{path}: the file is empty; there is nothing to map.");
        }

        MemoryMappedFile file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* address = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
            return new MappedFile(file, view, (nint)(address + view.PointerOffset), length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Lets go of the mapping; tensors that hold it keep it alive.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Buffer.Release();
        }
    }

    void IDeviceBufferOwner.Return(DeviceBuffer buffer)
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
