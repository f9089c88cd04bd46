namespace PureSharpQLoRA.Core;

/// <summary>Takes memory from a device and gives it back. Blocks are aligned to 64 bytes at least and have 64 readable bytes of slack behind them.</summary>
public interface IDeviceAllocator
{
    /// <summary>Takes <paramref name="bytes"/> bytes; their content is undefined.</summary>
    /// <exception cref="OutOfMemoryException">The device has no more.</exception>
    nint Allocate(long bytes);

    /// <summary>Gives a block back.</summary>
    void Free(nint address, long bytes);
}
