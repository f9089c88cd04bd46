namespace PureSharpQLoRA.Core;

/// <summary>A block of device memory. It is counted: tensors that share it each hold one reference, and the last to let go returns it to its pool.</summary>
public sealed class DeviceBuffer
{
    private readonly IDeviceBufferOwner _owner;
    private int _references;

    internal DeviceBuffer(IDeviceBufferOwner owner, nint address, long bytes)
    {
        _owner = owner;
        Address = address;
        Bytes = bytes;
    }

    /// <summary>Where the block begins, as the device counts addresses.</summary>
    public nint Address { get; }

    /// <summary>The size of the block, at least what was asked for.</summary>
    public long Bytes { get; }

    /// <summary>What the block is used for at present.</summary>
    public MemoryPurpose Purpose { get; internal set; }

    /// <summary>The number of what the block holds now; see <see cref="Tensor.ContentId"/>.</summary>
    internal long ContentId { get; set; }

    /// <summary>Whether more than one tensor holds the block, so that writing to it would be seen elsewhere.</summary>
    internal bool IsShared => _references > 1;

    /// <summary>Adds a holder.</summary>
    internal void AddReference() => _references++;

    /// <summary>Removes a holder.</summary>
    internal void Release()
    {
        if (--_references == 0)
        {
            _owner.Return(this);
        }
        else if (_references < 0)
        {
            throw new InvalidOperationException("A device buffer was released more often than it was held.");
        }
    }
}

/// <summary>Takes buffers back that nobody holds any more.</summary>
internal interface IDeviceBufferOwner
{
    void Return(DeviceBuffer buffer);
}
