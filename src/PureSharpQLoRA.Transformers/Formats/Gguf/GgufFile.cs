using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// A GGUF file (version 2 or 3), opened for reading. Only the header is loaded; tensors are read piece by piece into the caller's memory, or mapped.
/// Reading is thread-safe.
/// </summary>
public sealed class GgufFile : IDisposable
{
    /// <summary>How the names of such files end.</summary>
    public const string Extension = ".gguf";

    private const int ChunkElements = 1 << 16;

    /// <summary>Of a list in the metadata; the largest vocabularies have a quarter of it in tokens and half of it in merges.</summary>
    private const int MostElements = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly GgufHeader _header;
    private readonly Lock _mapLock = new();
    private MappedFile? _mapped;

    private GgufFile(string path, SafeFileHandle handle, GgufHeader header)
    {
        (Path, _handle, _header) = (path, handle, header);
    }

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>The version of the format.</summary>
    public int Version => (int)_header.FileVersion;

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, GgufEntry> Entries => _header.Entries;

    /// <summary>The metadata by key.</summary>
    public IReadOnlyDictionary<string, GgufValue> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header against its size.</summary>
    /// <exception cref="WeightFormatException">There is no such file, or it is no valid GGUF file.</exception>
    public static GgufFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        SafeFileHandle handle = FileBytes.Open(path);
        try
        {
            return new GgufFile(path, handle, GgufHeader.Read(path, handle));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="WeightFormatException">The file has none.</exception>
    public GgufEntry Find(string name) => Entries.TryGetValue(name, out GgufEntry? entry) ? entry : throw new WeightFormatException(Path, "the file has no such tensor", name);

    /// <summary>A text, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type.</exception>
    public string? FindText(string key) => Metadata.TryGetValue(key, out GgufValue? value) ? value.Value as string ?? throw Wrong(key, value, "a text") : null;

    /// <summary>A yes/no value, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type.</exception>
    public bool? FindBool(string key) => Metadata.TryGetValue(key, out GgufValue? value) ? value.Value as bool? ?? throw Wrong(key, value, "true or false") : null;

    /// <summary>A whole number, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type, or not from 0 to 2^31 - 1.</exception>
    public int? FindInteger(string key)
    {
        if (!Metadata.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        return value.Value switch
        {
            ulong number when number <= int.MaxValue => (int)number,
            long number and >= 0 and <= int.MaxValue => (int)number,
            _ => throw Wrong(key, value, "a whole number from 0 up"),
        };
    }

    /// <summary>A number, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type.</exception>
    public double? FindNumber(string key)
    {
        if (!Metadata.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        return value.Value switch
        {
            double number => number,
            float number => number,
            ulong number => number,
            long number => number,
            _ => throw Wrong(key, value, "a number"),
        };
    }

    /// <summary>An array of texts, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type, or an element is not UTF-8.</exception>
    public string[]? ReadTexts(string key)
    {
        if (!Metadata.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        return value.ElementType == GgufValueType.Text
            ? GgufHeader.DecodeTexts(Path, key, ReadArray(key, value), value.Count)
            : throw Wrong(key, value, "a list of texts");
    }

    /// <summary>An array of numbers, or null where there is no such key.</summary>
    /// <exception cref="WeightFormatException">The value is of another type.</exception>
    public double[]? ReadNumbers(string key)
    {
        if (!Metadata.TryGetValue(key, out GgufValue? value))
        {
            return null;
        }

        if (value.ElementType is null or GgufValueType.Text or GgufValueType.Bool)
        {
            throw Wrong(key, value, "a list of numbers");
        }

        byte[] bytes = ReadArray(key, value);
        int width = value.ElementType.Value.FixedBytes();
        var numbers = new double[value.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes.AsSpan(i * width, width);
            numbers[i] = value.ElementType switch
            {
                GgufValueType.UInt8 => element[0],
                GgufValueType.Int8 => (sbyte)element[0],
                GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(element),
                GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(element),
                GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(element),
                GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(element),
                GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(element),
                GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(element),
                GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(element),
                _ => BinaryPrimitives.ReadDoubleLittleEndian(element),
            };
        }

        return numbers;
    }

    /// <summary>Reads bytes of a tensor as they are stored.</summary>
    /// <param name="entry">A tensor of this file.</param>
    /// <param name="firstByte">Where to begin, counted from the tensor's first byte.</param>
    /// <param name="target">Filled entirely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    /// <exception cref="WeightFormatException">The file was shortened after it was opened.</exception>
    public void ReadBytes(GgufEntry entry, long firstByte, Span<byte> target)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (firstByte < 0 || firstByte > entry.Bytes - target.Length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(firstByte), firstByte, $"The tensor '{entry.Name}' has {entry.Bytes} bytes; [{firstByte}, {firstByte + target.Length}) is outside.");
        }

        FileBytes.ReadExactly(Path, _handle, target, entry.Offset + firstByte, entry.Name);
    }

    /// <summary>Reads elements of a tensor, decoded to fp32.</summary>
    /// <param name="entry">A tensor of this file, of a type that this library decodes.</param>
    /// <param name="firstElement">Where to begin, counted in flat row-major order; any place, also inside a block.</param>
    /// <param name="target">Filled entirely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    /// <exception cref="WeightFormatException">The type cannot be decoded, or the file was shortened after it was opened.</exception>
    public void ReadFloats(GgufEntry entry, long firstElement, Span<float> target)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (firstElement < 0 || firstElement > entry.Count - target.Length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(firstElement), firstElement, $"The tensor '{entry.Name}' has {entry.Count} elements; [{firstElement}, {firstElement + target.Length}) is outside.");
        }

        if (!entry.Type.IsSupported())
        {
            throw new WeightFormatException(Path, $"it is stored as {entry.Type.Name()}, which cannot be decoded; use a file in F32, F16, BF16, Q8_0 or Q4_0", entry.Name);
        }

        int block = entry.Type.BlockElements();
        byte[] bytes = ArrayPool<byte>.Shared.Rent(checked((int)entry.Type.Bytes(ChunkElements)));
        float[] values = ArrayPool<float>.Shared.Rent(ChunkElements);
        try
        {
            for (int done = 0; done < target.Length;)
            {
                long element = firstElement + done, blockStart = element / block * block;
                int skip = (int)(element - blockStart), take = Math.Min(ChunkElements - skip, target.Length - done);
                int count = (skip + take + block - 1) / block * block;
                Span<byte> stored = bytes.AsSpan(0, (int)entry.Type.Bytes(count));
                FileBytes.ReadExactly(Path, _handle, stored, entry.Offset + entry.Type.Bytes(blockStart), entry.Name);
                if (skip == 0 && count == take)
                {
                    GgufCodec.Decode(entry.Type, stored, target.Slice(done, take));
                }
                else
                {
                    GgufCodec.Decode(entry.Type, stored, values.AsSpan(0, count));
                    values.AsSpan(skip, take).CopyTo(target[done..]);
                }

                done += take;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            ArrayPool<float>.Shared.Return(values);
        }
    }

    /// <summary>The whole file as tensor memory (an entry begins at <see cref="GgufEntry.Offset"/>); mapped on the first call, alive until this object is disposed and no tensor holds it.</summary>
    /// <exception cref="IOException">The file cannot be mapped.</exception>
    public MappedFile Map()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        lock (_mapLock)
        {
            return _mapped ??= MappedFile.Open(Path);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _handle.Dispose();
        _mapped?.Dispose();
    }

    private byte[] ReadArray(string key, GgufValue value)
    {
        if (value.Count > MostElements || value.Bytes > Array.MaxLength)
        {
            throw new WeightFormatException(Path, $"key '{key}' is a list of {value.Count} elements ({value.Bytes} bytes), which is too much");
        }

        var bytes = new byte[value.Bytes];
        FileBytes.ReadExactly(Path, _handle, bytes, value.Offset);
        return bytes;
    }

    private WeightFormatException Wrong(string key, GgufValue value, string wanted)
    {
        string shown = value.ToString();
        return new WeightFormatException(Path, $"key '{key}' is {(shown.Length <= 100 ? shown : shown[..100] + "...")}, but must be {wanted}");
    }
}
