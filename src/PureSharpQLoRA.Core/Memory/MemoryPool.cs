using System.Globalization;

namespace PureSharpQLoRA.Core;

/// <summary>
/// Hands out blocks of one device and keeps returned ones for the next request of the same size class, since every
/// training step asks for the same sizes again. Accounts for all bytes by purpose. Not thread-safe: a backend's
/// operations are issued from one thread.
/// </summary>
public sealed class MemoryPool : IDeviceBufferOwner, IDisposable
{
    private const long Granule = 256;
    private const int ClassesPerDoubling = 32;
    private const long AlwaysCached = 32L << 20;

    private readonly IDeviceAllocator _allocator;
    private readonly Dictionary<long, Stack<DeviceBuffer>> _free = [];
    private readonly long[] _bytes = new long[Enum.GetValues<MemoryPurpose>().Length];
    private readonly long[] _peaks = new long[Enum.GetValues<MemoryPurpose>().Length];
    private bool _disposed;

    /// <summary>A pool over the given device memory.</summary>
    public MemoryPool(IDeviceAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(allocator);
        _allocator = allocator;
    }

    /// <summary>Bytes that tensors hold now.</summary>
    public long BytesInUse { get; private set; }

    /// <summary>The most bytes that tensors held at one time since the last <see cref="ResetPeaks"/>.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes kept for reuse.</summary>
    public long BytesCached { get; private set; }

    /// <summary>Bytes held now for one purpose.</summary>
    public long BytesFor(MemoryPurpose purpose) => _bytes[(int)purpose];

    /// <summary>The most bytes held at one time for one purpose.</summary>
    public long PeakBytesFor(MemoryPurpose purpose) => _peaks[(int)purpose];

    /// <summary>Starts the peaks again from what is in use.</summary>
    public void ResetPeaks()
    {
        PeakBytes = BytesInUse;
        _bytes.CopyTo(_peaks, 0);
    }

    /// <summary>Gives all unused blocks back to the device.</summary>
    public void Trim()
    {
        foreach (Stack<DeviceBuffer> stack in _free.Values)
        {
            while (stack.TryPop(out DeviceBuffer? buffer))
            {
                _allocator.Free(buffer.Address, buffer.Bytes);
            }
        }

        BytesCached = 0;
    }

    /// <summary>Frees what is cached. Blocks that tensors still hold stay valid, and are freed when let go.</summary>
    public void Dispose()
    {
        _disposed = true;
        Trim();
    }

    /// <summary>A block of at least <paramref name="bytes"/> bytes with one reference.</summary>
    /// <exception cref="DeviceMemoryException">The device has no more, even after giving back what was kept for reuse.</exception>
    internal DeviceBuffer Rent(long bytes, MemoryPurpose purpose)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        long size = SizeClass(bytes, purpose);
        if (_free.TryGetValue(size, out Stack<DeviceBuffer>? stack) && stack.TryPop(out DeviceBuffer? buffer))
        {
            BytesCached -= size;
        }
        else
        {
            // Sizes that changed (other sequence lengths) must not pile up: keep at most a quarter of what is in use.
            if (BytesCached > Math.Max(AlwaysCached, BytesInUse / 4))
            {
                Trim();
            }

            buffer = new DeviceBuffer(this, Allocate(size, purpose), size);
        }

        buffer.Purpose = purpose;
        buffer.AddReference();
        Count(purpose, size);
        return buffer;
    }

    void IDeviceBufferOwner.Return(DeviceBuffer buffer)
    {
        Count(buffer.Purpose, -buffer.Bytes);
        if (_disposed || IsExact(buffer.Purpose))
        {
            _allocator.Free(buffer.Address, buffer.Bytes);
            return;
        }

        if (!_free.TryGetValue(buffer.Bytes, out Stack<DeviceBuffer>? stack))
        {
            _free.Add(buffer.Bytes, stack = new Stack<DeviceBuffer>());
        }

        stack.Push(buffer);
        BytesCached += buffer.Bytes;
    }

    private nint Allocate(long size, MemoryPurpose purpose)
    {
        if (_allocator.TryAllocate(size, out nint address))
        {
            return address;
        }

        Trim();
        return _allocator.TryAllocate(size, out address) ? address : throw new DeviceMemoryException(size, purpose, DescribeUse());
    }

    private string DescribeUse()
    {
        IEnumerable<string> parts = Enum.GetValues<MemoryPurpose>()
            .Where(purpose => BytesFor(purpose) > 0)
            .Select(purpose => string.Create(CultureInfo.InvariantCulture, $"{DeviceMemoryException.Lower(purpose)} {BytesFor(purpose) / 1048576.0:F1} MiB"));
        return BytesInUse == 0 ? "nothing" : string.Join(", ", parts);
    }

    /// <summary>Long-lived blocks are never rounded up nor kept for reuse.</summary>
    private static bool IsExact(MemoryPurpose purpose) =>
        purpose is MemoryPurpose.Weights or MemoryPurpose.Adapters or MemoryPurpose.Optimizer or MemoryPurpose.Gradients;

    private static long SizeClass(long bytes, MemoryPurpose purpose)
    {
        long size = (Math.Max(bytes, 1) + Granule - 1) / Granule * Granule;
        if (IsExact(purpose) || size <= Granule * ClassesPerDoubling)
        {
            return size;
        }

        long step = Math.Max(Granule, (long)(System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)size) / (2 * ClassesPerDoubling)));
        return (size + step - 1) / step * step;
    }

    private void Count(MemoryPurpose purpose, long bytes)
    {
        int index = (int)purpose;
        _bytes[index] += bytes;
        _peaks[index] = Math.Max(_peaks[index], _bytes[index]);
        BytesInUse += bytes;
        PeakBytes = Math.Max(PeakBytes, BytesInUse);
    }
}
