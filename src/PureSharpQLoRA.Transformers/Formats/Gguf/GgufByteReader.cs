using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads a file from front to back through a small window; an end that comes too early is an error that says what was being read.</summary>
internal sealed class GgufByteReader(string file, SafeFileHandle handle)
{
    private readonly byte[] _window = new byte[1 << 16];
    private long _windowStart;
    private int _windowBytes;

    public long Length { get; } = RandomAccess.GetLength(handle);

    public long Position { get; private set; }

    /// <summary>Bytes from here to the end of the file.</summary>
    public long Left => Length - Position;

    public byte Byte(string what) => Take(1, what)[0];

    public ushort UInt16(string what) => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, what));

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>The next bytes; valid until the next call.</summary>
    public ReadOnlySpan<byte> Bytes(int count, string what)
    {
        if (count <= _window.Length)
        {
            return Take(count, what);
        }

        Require(count, what);
        var bytes = new byte[count];
        FileBytes.ReadExactly(file, handle, bytes, Position);
        Position += count;
        return bytes;
    }

    /// <summary>Goes on without reading; the caller has checked that so many bytes are left.</summary>
    public void Skip(long count) => Position += count;

    private ReadOnlySpan<byte> Take(int count, string what)
    {
        Require(count, what);
        if (Position < _windowStart || Position + count > _windowStart + _windowBytes)
        {
            _windowStart = Position;
            _windowBytes = (int)Math.Min(_window.Length, Left);
            FileBytes.ReadExactly(file, handle, _window.AsSpan(0, _windowBytes), _windowStart);
        }

        ReadOnlySpan<byte> bytes = _window.AsSpan((int)(Position - _windowStart), count);
        Position += count;
        return bytes;
    }

    private void Require(int count, string what)
    {
        if (count > Left)
        {
            string shown = what.Length <= 100 ? what : what[..100] + "...";
            throw new WeightFormatException(file, $"the file ends in the middle of its header ({shown}); was the download cut off?", offset: Position);
        }
    }
}
