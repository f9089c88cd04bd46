using System.Buffers;
using System.Buffers.Binary;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Declares a tensor of a GGUF file to be written.</summary>
/// <param name="Name">Unique in the file, at most 63 bytes.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Shape">The extents, outermost first; at most four.</param>
public sealed record GgufDeclaration(string Name, GgufTensorType Type, params IReadOnlyList<long> Shape)
{
    /// <summary>The number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (count, extent) => checked(count * extent));

    /// <summary>The size in bytes.</summary>
    public long Bytes => Type.Bytes(Count);
}

/// <summary>
/// Writes a GGUF file (version 3) as a stream: metadata and tensors are declared first, then their bytes follow in pieces, in any order of tensors.
/// The tensors lie in the order of their declaration; the file appears only when <see cref="Complete"/> succeeded.
/// </summary>
public sealed class GgufWriter : IDisposable
{
    // ggml keeps names in arrays of 64 bytes that end in zero.
    private const int MostNameBytes = 63;

    private readonly AtomicFile _file;
    private readonly Dictionary<string, Slot> _slots = new(StringComparer.Ordinal);

    /// <summary>Begins a file and writes its header.</summary>
    /// <param name="path">The final name.</param>
    /// <param name="metadata">The metadata; tensors are aligned to 32 bytes, which needs no key.</param>
    /// <param name="tensors">Every tensor.</param>
    /// <exception cref="ArgumentException">A name appears twice or is too long, a shape is not allowed, or rows don't consist of whole blocks.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public GgufWriter(string path, GgufMetadata metadata, IEnumerable<GgufDeclaration> tensors)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        GgufDeclaration[] declared = [.. tensors];
        var header = new ArrayBufferWriter<byte>();
        Write(header, GgufHeader.Magic);
        Write(header, GgufHeader.Version);
        Write(header, (ulong)declared.Length);
        Write(header, (ulong)metadata.Count);
        header.Write(metadata.Bytes);
        long offset = 0;
        foreach (GgufDeclaration tensor in declared)
        {
            Check(tensor);
            if (!_slots.TryAdd(tensor.Name, new Slot(offset, tensor.Bytes)))
            {
                throw new ArgumentException($"The tensor '{tensor.Name}' is declared twice.", nameof(tensors));
            }

            GgufMetadata.WriteText(header, tensor.Name);
            Write(header, (uint)tensor.Shape.Count);
            for (int i = tensor.Shape.Count - 1; i >= 0; i--)
            {
                Write(header, (ulong)tensor.Shape[i]);
            }

            Write(header, (uint)tensor.Type);
            Write(header, (ulong)offset);
            offset = Aligned(offset + tensor.Bytes);
        }

        DataStart = Aligned(header.WrittenCount);
        _file = AtomicFile.Create(path, DataStart + offset);
        try
        {
            RandomAccess.SetLength(_file.Handle, DataStart + offset);
            RandomAccess.Write(_file.Handle, header.WrittenSpan, 0);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Where the data begins, counted from the beginning of the file.</summary>
    public long DataStart { get; }

    /// <summary>Appends bytes to a tensor.</summary>
    /// <exception cref="ArgumentException">The tensor was not declared, or is full.</exception>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(string tensor, ReadOnlySpan<byte> bytes)
    {
        if (!_slots.TryGetValue(tensor, out Slot? slot))
        {
            throw new ArgumentException($"{_file.Path}: the tensor '{tensor}' was not declared.", nameof(tensor));
        }

        if (bytes.Length > slot.Bytes - slot.Written)
        {
            throw new ArgumentException(
                $"{_file.Path}: the tensor '{tensor}' takes {slot.Bytes} bytes; {slot.Written} were written and {bytes.Length} more don't fit.", nameof(bytes));
        }

        RandomAccess.Write(_file.Handle, bytes, DataStart + slot.Offset + slot.Written);
        slot.Written += bytes.Length;
    }

    /// <summary>Brings the file to the disk and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">Bytes of a tensor are missing.</exception>
    public void Complete()
    {
        foreach ((string name, Slot slot) in _slots)
        {
            if (slot.Written != slot.Bytes)
            {
                throw new InvalidOperationException($"{_file.Path}: the tensor '{name}' takes {slot.Bytes} bytes but only {slot.Written} were written.");
            }
        }

        _file.Commit();
    }

    /// <summary>Ends writing; without <see cref="Complete"/>, nothing remains.</summary>
    public void Dispose() => _file.Dispose();

    private static void Check(GgufDeclaration tensor)
    {
        if (tensor.Name.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(tensor.Name) > MostNameBytes)
        {
            throw new ArgumentException($"The tensor name '{tensor.Name}' must have 1 to {MostNameBytes} bytes.");
        }

        if (tensor.Shape.Count is 0 or > 4 || tensor.Shape.Any(extent => extent <= 0))
        {
            throw new ArgumentException($"The tensor '{tensor.Name}' must have 1 to 4 extents above 0, not [{string.Join(", ", tensor.Shape)}].");
        }

        if (!tensor.Type.IsSupported() || tensor.Shape[^1] % tensor.Type.BlockElements() != 0)
        {
            throw new ArgumentException($"The tensor '{tensor.Name}' [{string.Join(", ", tensor.Shape)}] cannot be stored as {tensor.Type}.");
        }
    }

    private static long Aligned(long position) => (position + GgufHeader.DefaultAlignment - 1) / GgufHeader.DefaultAlignment * GgufHeader.DefaultAlignment;

    private static void Write(ArrayBufferWriter<byte> target, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        target.Write(bytes);
    }

    private static void Write(ArrayBufferWriter<byte> target, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        target.Write(bytes);
    }

    private sealed class Slot(long offset, long bytes)
    {
        public long Offset { get; } = offset;

        public long Bytes { get; } = bytes;

        public long Written { get; set; }
    }
}
