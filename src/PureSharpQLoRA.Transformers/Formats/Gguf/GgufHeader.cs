using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads and checks what stands before a GGUF file's data: counts, metadata, the list of tensors.</summary>
internal sealed class GgufHeader
{
    /// <summary>The magic number, "GGUF" in bytes.</summary>
    public const uint Magic = 0x46554747;

    /// <summary>The version that is written.</summary>
    public const uint Version = 3;

    /// <summary>Where the metadata doesn't say how tensors are aligned.</summary>
    public const int DefaultAlignment = 32;

    /// <summary>The key that says how tensors are aligned.</summary>
    public const string AlignmentKey = "general.alignment";

    // Published files have dozens of keys and thousands of tensors; with these bounds a damaged file cannot ask for memory.
    private const ulong MostKeys = 1 << 16;
    private const ulong MostTensors = 1 << 17;
    private const ulong MostKeyBytes = 1 << 16;
    private const ulong MostNameBytes = 1 << 10;
    private const ulong MostTextBytes = 64 << 20;
    private const uint MostDimensions = 4;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _file;
    private readonly GgufByteReader _reader;

    private GgufHeader(string file, SafeFileHandle handle)
    {
        (_file, _reader) = (file, new GgufByteReader(file, handle));
    }

    public Dictionary<string, GgufValue> Metadata { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, GgufEntry> Entries { get; } = new(StringComparer.Ordinal);

    public uint FileVersion { get; private set; }

    public static GgufHeader Read(string file, SafeFileHandle handle)
    {
        var header = new GgufHeader(file, handle);
        header.Read();
        return header;
    }

    /// <summary>The texts of an array whose place was checked when the file was opened.</summary>
    public static string[] DecodeTexts(string file, string key, ReadOnlySpan<byte> bytes, long count)
    {
        var texts = new string[count];
        for (int i = 0; i < texts.Length; i++)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            texts[i] = Decode(file, bytes.Slice(8, length), $"element {i} of {key}", null);
            bytes = bytes[(8 + length)..];
        }

        return texts;
    }

    private void Read()
    {
        if (_reader.Length < 24)
        {
            throw Wrong($"the file has {_reader.Length} bytes, too few for a GGUF header; was the download cut off?", 0);
        }

        uint magic = _reader.UInt32("magic");
        if (magic != Magic)
        {
            throw Wrong("the file does not begin with GGUF; this is not a GGUF file", 0);
        }

        FileVersion = _reader.UInt32("version");
        if (FileVersion is not (2 or 3))
        {
            bool swapped = BinaryPrimitives.ReverseEndianness(FileVersion) is > 0 and < 256;
            throw Wrong(swapped ? "the file is big-endian, which is not supported" : $"version {FileVersion} of the format is not supported, only 2 and 3 are", 4);
        }

        ulong tensors = _reader.UInt64("number of tensors"), keys = _reader.UInt64("number of keys");
        if (tensors > MostTensors)
        {
            throw Wrong($"the header claims {tensors} tensors, more than {MostTensors}", 8);
        }

        if (keys > MostKeys)
        {
            throw Wrong($"the header claims {keys} metadata keys, more than {MostKeys}", 16);
        }

        for (ulong i = 0; i < keys; i++)
        {
            ReadKey();
        }

        var infos = new List<(string Name, uint Type, long[] Shape, ulong Offset, long At)>();
        for (ulong i = 0; i < tensors; i++)
        {
            infos.Add(ReadTensor());
        }

        Place(infos);
    }

    private void ReadKey()
    {
        long at = _reader.Position;
        string key = Text("the name of a key", MostKeyBytes);
        if (key.Length == 0)
        {
            throw Wrong("a metadata key has no name", at);
        }

        uint type = _reader.UInt32(key);
        if (type > (uint)GgufValueType.Float64)
        {
            throw Wrong($"key '{Shorten(key)}' has the unknown type {type}", _reader.Position - 4);
        }

        GgufValue value = (GgufValueType)type == GgufValueType.Array ? ReadArray(key) : new GgufValue((GgufValueType)type, ReadScalar((GgufValueType)type, key));
        if (!Metadata.TryAdd(key, value))
        {
            throw Wrong($"key '{Shorten(key)}' appears twice", at);
        }
    }

    private object ReadScalar(GgufValueType type, string key)
    {
        switch (type)
        {
            case GgufValueType.Text:
                return Text($"key '{Shorten(key)}'", MostTextBytes);
            case GgufValueType.Bool:
                byte flag = _reader.Byte(key);
                return flag <= 1 ? flag == 1 : throw Wrong($"key '{Shorten(key)}' is a yes/no value but holds {flag}", _reader.Position - 1);
            case GgufValueType.UInt8:
                return (ulong)_reader.Byte(key);
            case GgufValueType.Int8:
                return (long)(sbyte)_reader.Byte(key);
            case GgufValueType.UInt16:
                return (ulong)_reader.UInt16(key);
            case GgufValueType.Int16:
                return (long)(short)_reader.UInt16(key);
            case GgufValueType.UInt32:
                return (ulong)_reader.UInt32(key);
            case GgufValueType.Int32:
                return (long)(int)_reader.UInt32(key);
            case GgufValueType.UInt64:
                return _reader.UInt64(key);
            case GgufValueType.Int64:
                return (long)_reader.UInt64(key);
            case GgufValueType.Float32:
                return BitConverter.UInt32BitsToSingle(_reader.UInt32(key));
            default:
                return BitConverter.UInt64BitsToDouble(_reader.UInt64(key));
        }
    }

    private GgufValue ReadArray(string key)
    {
        uint type = _reader.UInt32(key);
        if (type > (uint)GgufValueType.Float64 || type == (uint)GgufValueType.Array)
        {
            throw Wrong($"key '{Shorten(key)}' is an array of type {type}, which is not supported", _reader.Position - 4);
        }

        var elementType = (GgufValueType)type;
        ulong count = _reader.UInt64(key);
        int fixedBytes = elementType.FixedBytes(), least = fixedBytes == 0 ? 8 : fixedBytes;
        if (count > (ulong)(_reader.Left / least))
        {
            throw Wrong($"key '{Shorten(key)}' claims an array of {count} elements, but only {_reader.Left} bytes follow; was the download cut off?", _reader.Position - 8);
        }

        long first = _reader.Position;
        if (fixedBytes > 0)
        {
            _reader.Skip((long)count * fixedBytes);
        }
        else
        {
            for (ulong i = 0; i < count; i++)
            {
                SkipText(key, i);
            }
        }

        return new GgufValue(elementType, (long)count, first, _reader.Position - first);
    }

    private void SkipText(string key, ulong index)
    {
        ulong length = _reader.UInt64(key);
        if (length > MostTextBytes || (long)length > _reader.Left)
        {
            throw Wrong($"element {index} of '{Shorten(key)}' claims {length} bytes, but {_reader.Left} follow", _reader.Position - 8);
        }

        _reader.Skip((long)length);
    }

    private (string Name, uint Type, long[] Shape, ulong Offset, long At) ReadTensor()
    {
        long at = _reader.Position;
        string name = Text("the name of a tensor", MostNameBytes);
        uint dimensions = _reader.UInt32(name);
        if (dimensions is 0 or > MostDimensions)
        {
            throw new WeightFormatException(_file, $"it claims {dimensions} dimensions; 1 to {MostDimensions} are allowed", name, at);
        }

        var shape = new long[dimensions];
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong extent = _reader.UInt64(name);
            shape[i] = extent is > 0 and <= int.MaxValue ? (long)extent : throw new WeightFormatException(_file, $"it claims an extent of {extent}", name, at);
        }

        uint type = _reader.UInt32(name);
        if (!GgufTensorTypes.IsKnown(type))
        {
            throw new WeightFormatException(_file, $"it has the unknown type {type}", name, at);
        }

        return (name, type, shape, _reader.UInt64(name), at);
    }

    /// <summary>Every tensor must be aligned, lie in the file, and share no byte with another.</summary>
    private void Place(List<(string Name, uint Type, long[] Shape, ulong Offset, long At)> infos)
    {
        long alignment = Alignment(), dataStart = (_reader.Position + alignment - 1) / alignment * alignment;
        foreach ((string name, uint typeNumber, long[] shape, ulong offset, long at) in infos)
        {
            var type = (GgufTensorType)typeNumber;
            UInt128 count = 1;
            foreach (long extent in shape)
            {
                count *= (UInt128)extent;
            }

            if (count > long.MaxValue / 8)
            {
                throw new WeightFormatException(_file, $"its extents [{string.Join(", ", shape)}] are too many elements", name, at);
            }

            if (shape[^1] % type.BlockElements() != 0)
            {
                throw new WeightFormatException(_file, $"its rows have {shape[^1]} elements, but {type.Name()} is stored in blocks of {type.BlockElements()}", name, at);
            }

            if (offset % (ulong)alignment != 0)
            {
                throw new WeightFormatException(_file, $"its data begins at {offset}, which is not aligned to {alignment}", name, at);
            }

            long bytes = type.Bytes((long)count), available = _reader.Length - dataStart;
            if (offset > long.MaxValue || (long)offset > available - bytes)
            {
                throw new WeightFormatException(_file, $"its {bytes} bytes at {offset} reach past the end of the file ({Math.Max(0, available)} bytes of data); was the download cut off?", name, at);
            }

            if (!Entries.TryAdd(name, new GgufEntry(name, type, shape, (long)count, dataStart + (long)offset)))
            {
                throw new WeightFormatException(_file, "the file lists it twice", name, at);
            }
        }

        GgufEntry[] ordered = [.. Entries.Values];
        Array.Sort(ordered, static (a, b) => a.Offset.CompareTo(b.Offset));
        for (int i = 1; i < ordered.Length; i++)
        {
            if (ordered[i].Offset < ordered[i - 1].Offset + ordered[i - 1].Bytes)
            {
                throw new WeightFormatException(_file, $"its data overlaps that of '{ordered[i - 1].Name}'", ordered[i].Name, ordered[i].Offset);
            }
        }
    }

    private long Alignment()
    {
        if (!Metadata.TryGetValue(AlignmentKey, out GgufValue? value))
        {
            return DefaultAlignment;
        }

        return value.Value is ulong alignment && alignment is >= 8 and <= 1 << 20 && BitOperations.IsPow2(alignment)
            ? (long)alignment
            : throw Wrong($"{AlignmentKey} is {Shorten(value.ToString())}, not a power of two from 8 up", null);
    }

    private string Text(string what, ulong most)
    {
        ulong length = _reader.UInt64(what);
        long at = _reader.Position - 8;
        if (length > most || (long)length > _reader.Left)
        {
            throw Wrong($"{what} claims {length} bytes, but {(length > most ? $"at most {most} are allowed" : $"{_reader.Left} follow")}", at);
        }

        return Decode(_file, _reader.Bytes((int)length, what), what, at);
    }

    private static string Decode(string file, ReadOnlySpan<byte> bytes, string what, long? at)
    {
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new WeightFormatException(file, $"{what} is not UTF-8 text", offset: at, inner: error);
        }
    }

    private WeightFormatException Wrong(string problem, long? at) => new(_file, problem, offset: at);

    private static string Shorten(string text) => text.Length <= 100 ? text : text[..100] + "...";
}
