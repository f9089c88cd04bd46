namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>A block of workspace that grows when a call needs more and is kept for the next.</summary>
internal sealed unsafe class AttentionScratch : IDisposable
{
    private DeviceBuffer? _buffer;

    /// <summary>Memory for so many floats; what was there is lost when it has to grow.</summary>
    public float* Reserve(MemoryPool memory, long floats)
    {
        long bytes = floats * sizeof(float);
        if (_buffer is null || _buffer.Bytes < bytes)
        {
            // A cache of generation grows token by token: leave room, so that not every token asks again.
            long room = _buffer is null ? bytes : Math.Max(bytes, _buffer.Bytes + _buffer.Bytes / 2);
            Dispose();
            _buffer = memory.Rent(room, MemoryPurpose.Workspace);
        }

        return (float*)_buffer.Address;
    }

    public void Dispose()
    {
        _buffer?.Release();
        _buffer = null;
    }
}
