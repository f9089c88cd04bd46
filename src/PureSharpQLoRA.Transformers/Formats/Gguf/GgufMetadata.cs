using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Collects the metadata of a GGUF file to be written, in the order in which it is added.</summary>
public sealed class GgufMetadata
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);

    /// <summary>The number of keys.</summary>
    public int Count => _keys.Count;

    /// <summary>Adds a text.</summary>
    public void Add(string key, string value)
    {
        Begin(key, GgufValueType.Text);
        WriteText(value);
    }

    /// <summary>Adds a whole number as 32 bits, unsigned: what the format's keys ask for.</summary>
    public void Add(string key, uint value)
    {
        Begin(key, GgufValueType.UInt32);
        Write(value);
    }

    /// <summary>Adds a number as 32 bits.</summary>
    public void Add(string key, float value)
    {
        Begin(key, GgufValueType.Float32);
        Write(BitConverter.SingleToUInt32Bits(value));
    }

    /// <summary>Adds a yes/no value.</summary>
    public void Add(string key, bool value)
    {
        Begin(key, GgufValueType.Bool);
        _bytes.Write([value ? (byte)1 : (byte)0]);
    }

    /// <summary>Adds an array of texts.</summary>
    public void Add(string key, IReadOnlyList<string> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        BeginArray(key, GgufValueType.Text, values.Count);
        foreach (string value in values)
        {
            WriteText(value);
        }
    }

    /// <summary>Adds an array of numbers as 32 bits.</summary>
    public void Add(string key, ReadOnlySpan<float> values)
    {
        BeginArray(key, GgufValueType.Float32, values.Length);
        foreach (float value in values)
        {
            Write(BitConverter.SingleToUInt32Bits(value));
        }
    }

    /// <summary>Adds an array of whole numbers as 32 bits, signed.</summary>
    public void Add(string key, ReadOnlySpan<int> values)
    {
        BeginArray(key, GgufValueType.Int32, values.Length);
        foreach (int value in values)
        {
            Write((uint)value);
        }
    }

    internal ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    internal static void WriteText(IBufferWriter<byte> target, string text)
    {
        byte[] bytes = Utf8.GetBytes(text);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)bytes.Length);
        target.Write(length);
        target.Write(bytes);
    }

    private void Begin(string key, GgufValueType type)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (!_keys.Add(key))
        {
            throw new ArgumentException($"The metadata key '{key}' was added before.", nameof(key));
        }

        WriteText(key);
        Write((uint)type);
    }

    private void BeginArray(string key, GgufValueType type, int count)
    {
        Begin(key, GgufValueType.Array);
        Write((uint)type);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)count);
        _bytes.Write(length);
    }

    private void WriteText(string text) => WriteText(_bytes, text);

    private void Write(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _bytes.Write(bytes);
    }
}
