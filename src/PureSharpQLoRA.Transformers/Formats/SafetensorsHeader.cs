using System.Buffers.Binary;
using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads and checks the header of a safetensors file: 8 bytes of length, then JSON.</summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const long MaxBytes = 100_000_000;

    private const int PrefixBytes = 8;

    public static (Dictionary<string, SafetensorsEntry> Entries, Dictionary<string, string> Metadata) Read(string file, Microsoft.Win32.SafeHandles.SafeFileHandle handle)
    {
        long fileBytes = RandomAccess.GetLength(handle);
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (fileBytes < PrefixBytes)
        {
            throw new WeightFormatException(file, $"the file has {fileBytes} bytes, too few for a safetensors header; was the download cut off?", offset: 0);
        }

        FileBytes.ReadExactly(file, handle, prefix, 0);
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxBytes)
        {
            throw new WeightFormatException(file, $"the header claims {headerBytes} bytes, more than the format's {MaxBytes}; this is not a safetensors file", offset: 0);
        }

        if ((long)headerBytes > fileBytes - PrefixBytes)
        {
            throw new WeightFormatException(file, $"the header claims {headerBytes} bytes but only {fileBytes - PrefixBytes} follow; was the download cut off?", offset: 0);
        }

        var json = new byte[headerBytes];
        FileBytes.ReadExactly(file, handle, json, PrefixBytes);
        var parser = new Parser(file, PrefixBytes + (long)headerBytes);
        try
        {
            parser.Parse(json);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Utf8JsonReader reports text that isn't UTF-8 by InvalidOperationException.
            long? at = error is JsonException { BytePositionInLine: long position, LineNumber: 0 } ? PrefixBytes + position : PrefixBytes;
            throw new WeightFormatException(file, $"the header is not valid JSON: {FirstSentence(error.Message)}", offset: at, inner: error);
        }

        CheckLayout(file, parser.Entries, PrefixBytes + (long)headerBytes, fileBytes);
        return (parser.Entries, parser.Metadata);
    }

    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? message.TrimEnd('.') : message[..end];
    }

    /// <summary>The data must be covered exactly: no gap, no overlap, nothing missing and nothing left.</summary>
    private static void CheckLayout(string file, Dictionary<string, SafetensorsEntry> entries, long dataStart, long fileBytes)
    {
        SafetensorsEntry[] ordered = [.. entries.Values];
        Array.Sort(ordered, static (a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        long position = dataStart;
        foreach (SafetensorsEntry entry in ordered)
        {
            if (entry.Offset != position)
            {
                string problem = entry.Offset < position ? "its data overlaps the tensor before it" : $"{entry.Offset - position} bytes before its data belong to no tensor";
                throw new WeightFormatException(file, problem, entry.Name, entry.Offset);
            }

            position += entry.Bytes;
            if (position > fileBytes)
            {
                throw new WeightFormatException(
                    file, $"its data ends at byte {position} but the file has only {fileBytes}; was the download cut off?", entry.Name, entry.Offset);
            }
        }

        if (position != fileBytes)
        {
            throw new WeightFormatException(file, $"{fileBytes - position} bytes after the last tensor belong to no tensor", offset: position);
        }
    }

    private sealed class Parser(string file, long dataStart)
    {
        public Dictionary<string, SafetensorsEntry> Entries { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

        public void Parse(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw new WeightFormatException(file, "the header is not a JSON object", offset: PrefixBytes);
            }

            bool hasMetadata = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                long at = PrefixBytes + reader.TokenStartIndex;
                reader.Read();
                if (name != "__metadata__")
                {
                    ReadEntry(ref reader, name, at);
                }
                else if (hasMetadata)
                {
                    throw new WeightFormatException(file, "__metadata__ appears twice in the header", offset: at);
                }
                else
                {
                    hasMetadata = true;
                    ReadMetadata(ref reader, at);
                }
            }

            // Reading on finds anything but white space behind the object.
            while (reader.Read())
            {
            }
        }

        private void ReadMetadata(ref Utf8JsonReader reader, long at)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new WeightFormatException(file, "__metadata__ must be an object of strings", offset: at);
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                {
                    throw new WeightFormatException(file, "__metadata__ must be an object of strings", offset: at);
                }

                Metadata[key] = reader.GetString()!;
            }
        }

        private void ReadEntry(ref Utf8JsonReader reader, string name, long at)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new WeightFormatException(file, "its header entry must be an object with dtype, shape and data_offsets", name, at);
            }

            string? typeName = null;
            long[]? shape = null, offsets = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string field = reader.GetString()!;
                reader.Read();
                bool again = false;
                switch (field)
                {
                    case "dtype":
                        again = typeName is not null;
                        typeName = reader.TokenType == JsonTokenType.String
                            ? reader.GetString()
                            : throw new WeightFormatException(file, "dtype must be a string", name, at);
                        break;
                    case "shape":
                        again = shape is not null;
                        shape = ReadNumbers(ref reader, name, field, at);
                        break;
                    case "data_offsets":
                        again = offsets is not null;
                        offsets = ReadNumbers(ref reader, name, field, at);
                        break;
                    default:
                        reader.Skip();
                        break;
                }

                if (again)
                {
                    throw new WeightFormatException(file, $"{field} appears twice in its header entry", name, at);
                }
            }

            Add(name, at, typeName, shape, offsets);
        }

        private void Add(string name, long at, string? typeName, long[]? shape, long[]? offsets)
        {
            if (typeName is null || shape is null || offsets is null)
            {
                string missing = typeName is null ? "dtype" : shape is null ? "shape" : "data_offsets";
                throw new WeightFormatException(file, $"{missing} is missing in its header entry", name, at);
            }

            if (!SafetensorsTypes.TryParse(typeName, out SafetensorsType type))
            {
                string shown = typeName.Length <= 20 ? typeName : typeName[..20] + "...";
                throw new WeightFormatException(
                    file, $"its dtype '{shown}' is not supported; known are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL", name, at);
            }

            if (offsets.Length != 2 || offsets[0] > offsets[1])
            {
                throw new WeightFormatException(file, "data_offsets must be [begin, end] with begin <= end", name, at);
            }

            Int128 count = 1;
            foreach (long extent in shape)
            {
                count *= extent;
                if (count > long.MaxValue / 8)
                {
                    throw new WeightFormatException(file, "its shape has more elements than any file can hold", name, at);
                }
            }

            long bytes = (long)count * type.ElementBytes();
            if (bytes != offsets[1] - offsets[0])
            {
                throw new WeightFormatException(
                    file, $"{typeName} [{string.Join(", ", shape)}] takes {bytes} bytes but data_offsets span {offsets[1] - offsets[0]}", name, at);
            }

            if (offsets[1] > long.MaxValue - dataStart)
            {
                throw new WeightFormatException(file, "data_offsets are beyond the end of any file", name, at);
            }

            if (!Entries.TryAdd(name, new SafetensorsEntry(name, type, shape, (long)count, dataStart + offsets[0])))
            {
                throw new WeightFormatException(file, "the name appears twice in the header", name, at);
            }
        }

        private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string field, long at)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                throw new WeightFormatException(file, $"{field} must be an array of whole numbers", name, at);
            }

            List<long> numbers = [];
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                {
                    throw new WeightFormatException(file, $"{field} must be an array of whole numbers from 0 on", name, at);
                }

                if (numbers.Count == 32)
                {
                    throw new WeightFormatException(file, $"{field} has more than 32 numbers", name, at);
                }

                numbers.Add(number);
            }

            return [.. numbers];
        }
    }
}
