namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>
/// Page-locked memory that copies to the card pass through, so that the host goes on at once: segments in turn, each with an event that says when
/// the card has read it.
/// </summary>
internal sealed unsafe class StagingRing : IDisposable
{
    private const int Segments = 4;
    private const int SegmentBytes = 4 << 20;
    private const int Alignment = 64;

    private readonly Driver _driver;
    private readonly nint _stream;
    private readonly nint _memory;
    private readonly nint[] _read = new nint[Segments];
    private int _segment;
    private int _used;

    public StagingRing(Driver driver, nint stream)
    {
        _driver = driver;
        _stream = stream;
        _memory = driver.AllocateHost((long)Segments * SegmentBytes);
        for (int i = 0; i < Segments; i++)
        {
            _read[i] = driver.CreateEvent(timed: false);
        }
    }

    /// <summary>Queues a copy; the source is free again when this returns.</summary>
    public void Copy(ReadOnlySpan<byte> source, nint to)
    {
        while (!source.IsEmpty)
        {
            if (_used == SegmentBytes)
            {
                _driver.RecordEvent(_read[_segment], _stream);
                _segment = (_segment + 1) % Segments;
                // An event that was never recorded counts as passed.
                _driver.WaitForEvent(_read[_segment]);
                _used = 0;
            }

            int bytes = Math.Min(source.Length, SegmentBytes - _used);
            nint from = _memory + ((nint)_segment * SegmentBytes) + _used;
            source[..bytes].CopyTo(new Span<byte>((void*)from, bytes));
            _driver.CopyToDevice(to, from, bytes, _stream);
            _used = Math.Min(SegmentBytes, (_used + bytes + Alignment - 1) / Alignment * Alignment);
            source = source[bytes..];
            to += bytes;
        }
    }

    public void Dispose()
    {
        foreach (nint handle in _read)
        {
            _driver.DestroyEvent(handle);
        }

        _driver.FreeHost(_memory);
    }
}
