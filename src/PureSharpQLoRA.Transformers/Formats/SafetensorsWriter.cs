using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Declares a tensor of a file to be written.</summary>
/// <param name="Name">Unique in the file, not "__metadata__".</param>
/// <param name="Type">The element type.</param>
/// <param name="Shape">The extents, outermost first.</param>
public sealed record SafetensorsDeclaration(string Name, SafetensorsType Type, params IReadOnlyList<long> Shape)
{
    /// <summary>The size in bytes.</summary>
    public long Bytes
    {
        get
        {
            long bytes = Type.ElementBytes();
            foreach (long extent in Shape)
            {
                bytes = checked(bytes * extent);
            }

            return bytes;
        }
    }
}

/// <summary>
/// Writes a safetensors file as a stream: all tensors are declared first, then their bytes follow in pieces, in any order of tensors. The file
/// is laid out as Hugging Face's library does (larger element types first, then by name) and appears only when <see cref="Complete"/> succeeded.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private const int Alignment = 8;

    private readonly AtomicFile _file;
    private readonly Dictionary<string, Slot> _slots = new(StringComparer.Ordinal);

    /// <summary>Begins a file and writes its header.</summary>
    /// <param name="path">The final name.</param>
    /// <param name="tensors">Every tensor.</param>
    /// <param name="metadata">Strings for `__metadata__`; Hugging Face's readers expect "format": "pt".</param>
    /// <exception cref="ArgumentException">A name appears twice or is reserved, an extent is negative.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public SafetensorsWriter(string path, IEnumerable<SafetensorsDeclaration> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsDeclaration[] ordered = [.. tensors];
        Array.Sort(ordered, static (a, b) => a.Type != b.Type ? b.Type.CompareTo(a.Type) : string.CompareOrdinal(a.Name, b.Name));
        byte[] header = Header(ordered, metadata);
        long position = header.Length;
        foreach (SafetensorsDeclaration tensor in ordered)
        {
            _slots.Add(tensor.Name, new Slot(position, tensor.Bytes));
            position += tensor.Bytes;
        }

        _file = AtomicFile.Create(path, position);
        try
        {
            RandomAccess.Write(_file.Handle, header, 0);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Appends bytes to a tensor. Different tensors may be written by different threads.</summary>
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

        RandomAccess.Write(_file.Handle, bytes, slot.Offset + slot.Written);
        slot.Written += bytes.Length;
    }

    /// <summary>Appends fp32 elements to a tensor that was declared as F32.</summary>
    /// <exception cref="ArgumentException">The tensor was not declared, or is full.</exception>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(string tensor, ReadOnlySpan<float> elements) => Write(tensor, MemoryMarshal.AsBytes(elements));

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

    private static byte[] Header(SafetensorsDeclaration[] ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[Alignment]);
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long position = 0;
            HashSet<string> names = new(StringComparer.Ordinal);
            foreach (SafetensorsDeclaration tensor in ordered)
            {
                if (tensor.Name == "__metadata__" || !names.Add(tensor.Name))
                {
                    throw new ArgumentException($"The tensor name '{tensor.Name}' is reserved or declared twice.", nameof(ordered));
                }

                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.HeaderName());
                json.WriteStartArray("shape");
                foreach (long extent in tensor.Shape)
                {
                    ArgumentOutOfRangeException.ThrowIfNegative(extent);
                    json.WriteNumberValue(extent);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(position);
                position += tensor.Bytes;
                json.WriteNumberValue(position);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (stream.Length % Alignment != 0)
        {
            stream.WriteByte((byte)' ');
        }

        byte[] header = stream.ToArray();
        if (header.Length - Alignment > SafetensorsHeader.MaxBytes)
        {
            throw new ArgumentException($"The header would take {header.Length - Alignment} bytes, more than the format's {SafetensorsHeader.MaxBytes}.", nameof(ordered));
        }

        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - Alignment);
        return header;
    }

    private sealed class Slot(long offset, long bytes)
    {
        public long Offset { get; } = offset;

        public long Bytes { get; } = bytes;

        public long Written { get; set; }
    }
}
