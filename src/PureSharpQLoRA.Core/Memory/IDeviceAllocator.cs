namespace PureSharpQLoRA.Core;

/// <summary>Takes memory from a device and gives it back. Blocks are aligned to 64 bytes at least.</summary>
public interface IDeviceAllocator
{
    /// <summary>Takes <paramref name="bytes"/> bytes, whose content is undefined; false where the device has no more.</summary>
    bool TryAllocate(long bytes, out nint address);

    /// <summary>Gives a block back.</summary>
    void Free(nint address, long bytes);
}
