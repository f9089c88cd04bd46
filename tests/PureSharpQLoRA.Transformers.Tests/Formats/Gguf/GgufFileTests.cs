using System.Buffers.Binary;
using System.Text;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats.Gguf;

public sealed class GgufFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    private string File1 => _folder.File("a.gguf");

    [Fact]
    public void What_was_written_is_read()
    {
        SmallGguf.Write(File1);
        using GgufFile file = GgufFile.Open(File1);

        Assert.Equal(3, file.Version);
        Assert.Equal("llama", file.FindText("general.architecture"));
        Assert.Equal(7, file.FindInteger("number"));
        Assert.Equal(0.5, file.FindNumber("fraction"));
        Assert.True(file.FindBool("flag"));
        Assert.Null(file.FindText("nothing"));
        Assert.Equal(["one", "zwei", "三"], file.ReadTexts("texts")!);
        Assert.Equal([1.0, -2.0], file.ReadNumbers("scores")!);
        Assert.Equal([1.0, -3.0, 6.0], file.ReadNumbers("types")!);
        Assert.All(SmallGguf.Tensors, tensor =>
        {
            GgufEntry entry = file.Find(tensor.Name);
            Assert.Equal(tensor.Shape, entry.Shape);
            Assert.Equal(0, entry.Offset % 32);
            var bytes = new byte[entry.Bytes];
            file.ReadBytes(entry, 0, bytes);
            Assert.Equal(SmallGguf.Bytes(tensor), bytes);
        });
    }

    [Fact]
    public void Elements_are_read_from_any_place_on()
    {
        SmallGguf.Write(File1);
        using GgufFile file = GgufFile.Open(File1);
        GgufEntry entry = file.Find("b.weight");
        var whole = new float[entry.Count];
        file.ReadFloats(entry, 0, whole);

        foreach ((int first, int count) in new[] { (0, 1), (31, 2), (5, 100), (64, 64), (191, 1), (7, 0) })
        {
            var part = new float[count];
            file.ReadFloats(entry, first, part);
            Assert.Equal(whole[first..(first + count)], part);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloats(entry, 191, new float[2]));
    }

    [Fact]
    public void Tensors_of_types_that_can_only_be_listed_are_listed()
    {
        Save(Header(tensors: 1, keys: 0), Tensor("k", 12, 0, 256), new byte[144]);
        using GgufFile file = GgufFile.Open(File1);

        Assert.Equal("Q4_K [256]", file.Find("k").ToString());
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => file.ReadFloats(file.Find("k"), 0, new float[256]));
        Assert.Contains("Q4_K, which cannot be decoded", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Version_2_is_read()
    {
        Save(Header(tensors: 1, keys: 0, version: 2), Tensor("t", 0, 0, 2), new byte[8]);
        using GgufFile file = GgufFile.Open(File1);

        Assert.Equal(2, file.Version);
        Assert.Equal([2L], file.Find("t").Shape);
    }

    public static TheoryData<string, byte[][]> Damaged => new()
    {
        { "too few for a GGUF header", [[1, 2, 3]] },
        { "does not begin with GGUF", [new byte[64]] },
        { "version 1 of the format is not supported", [Header(0, 0, version: 1)] },
        { "big-endian", [Header(0, 0, version: 0x03000000)] },
        { "claims 1099511627776 tensors", [Header(1UL << 40, 0)] },
        { "claims 1099511627776 metadata keys", [Header(0, 1UL << 40)] },
        { "the file ends in the middle of its header", [Header(0, 1)] },
        { "the name of a key claims 9223372036854775807 bytes", [Header(0, 1), Number(long.MaxValue)] },
        { "the name of a key is not UTF-8", [Header(0, 1), Number(1), [0xff], Number32(4), Number32(1)] },
        { "key 'k' has the unknown type 99", [Header(0, 1), Text("k"), Number32(99)] },
        { "key 'k' is a yes/no value but holds 2", [Header(0, 1), Text("k"), Number32(7), [2]] },
        { "key 'k' claims 1000000 bytes", [Header(0, 1), Text("k"), Number32(8), Number(1000000)] },
        { "key 'k' claims an array of 4611686018427387904 elements", [Header(0, 1), Text("k"), Number32(9), Number32(4), Number(1L << 62)] },
        { "element 0 of 'k' claims 500 bytes", [Header(0, 1), Text("k"), Number32(9), Number32(8), Number(1), Number(500)] },
        { "array of type 9, which is not supported", [Header(0, 1), Text("k"), Number32(9), Number32(9), Number(0)] },
        { "key 'k' appears twice", [Header(0, 2), Text("k"), Number32(4), Number32(1), Text("k"), Number32(4), Number32(1)] },
        { "general.alignment is 33", [Header(0, 1), Text("general.alignment"), Number32(4), Number32(33)] },
        { "tensor 't': it claims 5 dimensions", [Header(1, 0), Text("t"), Number32(5)] },
        { "tensor 't': it claims an extent of 0", [Header(1, 0), Tensor("t", 0, 0, 0)] },
        { "tensor 't': it has the unknown type 77", [Header(1, 0), Tensor("t", 77, 0, 2)] },
        { "tensor 't': its extents [2147483647, 2147483647, 2147483647] are too many elements", [Header(1, 0), Tensor("t", 0, 0, int.MaxValue, int.MaxValue, int.MaxValue)] },
        { "tensor 't': its rows have 33 elements, but Q8_0 is stored in blocks of 32", [Header(1, 0), Tensor("t", 8, 0, 33), new byte[64]] },
        { "tensor 't': its data begins at 8, which is not aligned to 32", [Header(1, 0), Tensor("t", 0, 8, 2), new byte[64]] },
        { "tensor 't': its 4000 bytes at 0 reach past the end of the file", [Header(1, 0), Tensor("t", 0, 0, 1000), new byte[64]] },
        { "tensor 't': its 8 bytes at 18446744073709551584 reach past", [Header(1, 0), Tensor("t", 0, ulong.MaxValue - 31, 2), new byte[64]] },
        { "tensor 't': the file lists it twice", [Header(2, 0), Tensor("t", 0, 0, 2), Tensor("t", 0, 32, 2), new byte[64]] },
        { "tensor 'u': its data overlaps that of 't'", [Header(2, 0), Tensor("t", 0, 0, 16), Tensor("u", 0, 32, 2), new byte[64]] },
    };

    [Theory]
    [MemberData(nameof(Damaged))]
    public void A_damaged_file_is_refused_in_one_clear_line(string message, byte[][] parts)
    {
        Save(parts);

        WeightFormatException error = Assert.Throws<WeightFormatException>(() => GgufFile.Open(File1));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(File1, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void A_value_of_another_type_is_refused_by_its_key()
    {
        SmallGguf.Write(File1);
        using GgufFile file = GgufFile.Open(File1);

        Assert.Contains("key 'number' is 7, but must be a text", Assert.Throws<WeightFormatException>(() => file.FindText("number")).Message, StringComparison.Ordinal);
        Assert.Contains("key 'types' is [3 of Int32], but must be a list of texts", Assert.Throws<WeightFormatException>(() => file.ReadTexts("types")).Message, StringComparison.Ordinal);
        Assert.Throws<WeightFormatException>(() => file.FindInteger("fraction"));
        Assert.Throws<WeightFormatException>(() => file.FindBool("number"));
        Assert.Throws<WeightFormatException>(() => file.FindNumber("flag"));
        Assert.Throws<WeightFormatException>(() => file.ReadNumbers("texts"));
    }

    [Fact]
    public void An_incomplete_file_leaves_nothing()
    {
        using (var writer = new GgufWriter(File1, new GgufMetadata(), SmallGguf.Tensors))
        {
            writer.Write("d.weight", new byte[2]);
            Assert.Throws<InvalidOperationException>(writer.Complete);
            Assert.Throws<ArgumentException>(() => writer.Write("d.weight", new byte[100]));
            Assert.Throws<ArgumentException>(() => writer.Write("x", []));
        }

        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
        Assert.Throws<ArgumentException>(() => new GgufWriter(File1, new GgufMetadata(), [new GgufDeclaration("t", GgufTensorType.Q80, 33)]));
        Assert.Throws<ArgumentException>(() => new GgufWriter(File1, new GgufMetadata(), [new GgufDeclaration(new string('n', 64), GgufTensorType.Float32, 1)]));
        Assert.Throws<ArgumentException>(() => new GgufMetadata().Add("", 1u));
    }

    public void Dispose() => _folder.Dispose();

    internal static byte[] Header(ulong tensors, ulong keys, uint version = 3) =>
        [.. "GGUF"u8, .. Number32(version), .. Number((long)tensors), .. Number((long)keys)];

    private static byte[] Text(string text) => [.. Number(Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)];

    private static byte[] Number(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Number32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Tensor(string name, uint type, ulong offset, params long[] extents) =>
        [.. Text(name), .. Number32((uint)extents.Length), .. extents.SelectMany(Number), .. Number32(type), .. Number((long)offset)];

    /// <summary>Header parts, and where there is data (the last part behind a tensor) aligned to 32.</summary>
    private void Save(params byte[][] parts)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < parts.Length; i++)
        {
            if (i == parts.Length - 1 && i >= 2 && parts[i].Length >= 8 && parts[i].All(value => value == 0))
            {
                bytes.AddRange(new byte[(32 - (bytes.Count % 32)) % 32]);
            }

            bytes.AddRange(parts[i]);
        }

        File.WriteAllBytes(File1, [.. bytes]);
    }
}
