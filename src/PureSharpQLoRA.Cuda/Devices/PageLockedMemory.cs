using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>Memory of the host that cannot be swapped out, so that the card copies to and from it by itself.</summary>
internal sealed class PageLockedMemory(Driver driver, nint stream) : IDeviceAllocator
{
    /// <inheritdoc/>
    public bool TryAllocate(long bytes, out nint address)
    {
        address = driver.AllocateHost(bytes);
        return true;
    }

    /// <summary>Gives a block back once no queued copy uses it.</summary>
    public void Free(nint address, long bytes)
    {
        if (!driver.IsLost)
        {
            driver.Synchronize(stream);
            driver.FreeHost(address);
        }
    }
}
