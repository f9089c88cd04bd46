using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_written_is_read_back()
    {
        string path = _folder.File("sub", "model.safetensors");
        float[] values = [.. Enumerable.Range(0, 1000).Select(i => (i - 500) / 7f)];
        byte[] bytes = [1, 2, 3];
        using (var writer = new SafetensorsWriter(
            path,
            [new("b.codes", SafetensorsType.UInt8, 3), new("a \"quoted\" ä", SafetensorsType.Float32, 10, 100), new("empty", SafetensorsType.BFloat16, 0, 5), new("scalar", SafetensorsType.Int64)],
            new Dictionary<string, string> { ["format"] = "pt" }))
        {
            writer.Write("b.codes", bytes.AsSpan(0, 1));
            writer.Write("a \"quoted\" ä", values.AsSpan(0, 300));
            writer.Write("b.codes", bytes.AsSpan(1));
            writer.Write("a \"quoted\" ä", values.AsSpan(300));
            writer.Write("scalar", BitConverter.GetBytes(42L));
            Assert.False(File.Exists(path));
            writer.Complete();
        }

        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(4, file.Entries.Count);
        Assert.Equal("F32 [10, 100]", file.Find("a \"quoted\" ä").ToString());
        var read = new float[250];
        file.ReadFloats(file.Find("a \"quoted\" ä"), 700, read);
        Assert.Equal(values[700..950], read);
        var readBytes = new byte[2];
        file.ReadBytes(file.Find("b.codes"), 1, readBytes);
        Assert.Equal([2, 3], readBytes);
        Assert.Equal(0, file.Find("empty").Bytes);
        Assert.Empty(file.Find("scalar").Shape);
    }

    [Theory]
    [InlineData(SafetensorsType.Float16)]
    [InlineData(SafetensorsType.BFloat16)]
    [InlineData(SafetensorsType.Float64)]
    public void Floating_point_types_are_converted_in_chunks(SafetensorsType type)
    {
        const int Count = 300_001;
        string path = _folder.File("x.safetensors");
        using (var writer = new SafetensorsWriter(path, [new("x", type, Count)]))
        {
            for (int i = 0; i < Count; i++)
            {
                float value = i % 256;
                byte[] element = type switch
                {
                    SafetensorsType.Float16 => BitConverter.GetBytes((Half)value),
                    SafetensorsType.BFloat16 => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
                    _ => BitConverter.GetBytes((double)value),
                };
                writer.Write("x", element);
            }

            writer.Complete();
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        var read = new float[Count - 5];
        file.ReadFloats(file.Find("x"), 3, read);
        for (int i = 0; i < read.Length; i++)
        {
            Assert.Equal((i + 3) % 256, read[i]);
        }
    }

    [Fact]
    public unsafe void A_mapped_file_gives_tensors_in_place()
    {
        string path = WriteSmall();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        MappedFile mapped = file.Map();
        Assert.Same(mapped, file.Map());
        SafetensorsEntry entry = file.Find("w");
        Assert.Equal([1f, 2f, 3f, 4f], new ReadOnlySpan<float>((void*)(mapped.Buffer.Address + (nint)entry.Offset), 4).ToArray());
    }

    [Fact]
    public void Ranges_outside_and_wrong_types_are_named()
    {
        using SafetensorsFile file = SafetensorsFile.Open(WriteSmall());
        Assert.Contains("'w' has 4 elements; [2, 5) is outside", Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloats(file.Find("w"), 2, new float[3])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloats(file.Find("w"), -1, new float[1]));
        Assert.Contains("holds I32", Assert.Throws<WeightFormatException>(() => file.ReadFloats(file.Find("ids"), 0, new float[1])).Message);
        WeightFormatException missing = Assert.Throws<WeightFormatException>(() => file.Find("v"));
        Assert.Equal("v", missing.Tensor);
        Assert.Equal(file.Path, missing.File);
    }

    [Fact]
    public void The_reference_file_is_laid_out_the_same_way()
    {
        string? path = TestFiles.InReference("models", "stories260K-bnb-4bit-dq", "model.safetensors");
        if (path is null)
        {
            Assert.Skip("The reference models are not beside the repository.");
        }

        string copy = _folder.File("copy.safetensors");
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        using (var writer = new SafetensorsWriter(copy, file.Entries.Values.Reverse().Select(entry => new SafetensorsDeclaration(entry.Name, entry.Type, entry.Shape)), file.Metadata))
        {
            foreach (SafetensorsEntry entry in file.Entries.Values)
            {
                var bytes = new byte[entry.Bytes];
                file.ReadBytes(entry, 0, bytes);
                writer.Write(entry.Name, bytes);
            }

            writer.Complete();
        }

        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(copy));
    }

    [Fact]
    public void An_unfinished_file_leaves_nothing()
    {
        string path = _folder.File("half.safetensors");
        using (var writer = new SafetensorsWriter(path, [new("w", SafetensorsType.Float32, 2)]))
        {
            writer.Write("w", [1f]);
            Assert.Contains("'w' takes 8 bytes but only 4 were written", Assert.Throws<InvalidOperationException>(writer.Complete).Message);
            Assert.Throws<ArgumentException>(() => writer.Write("w", [1f, 2f]));
            Assert.Throws<ArgumentException>(() => writer.Write("v", [1f]));
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [new("w", SafetensorsType.Float32, 2), new("w", SafetensorsType.UInt8, 2)]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_disk_too_small_leaves_nothing()
    {
        string path = _folder.File("huge.safetensors");
        Assert.ThrowsAny<IOException>(() => new SafetensorsWriter(path, [new("w", SafetensorsType.Float32, 1L << 50)]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private string WriteSmall()
    {
        string path = _folder.File("small.safetensors");
        using var writer = new SafetensorsWriter(path, [new("w", SafetensorsType.Float32, 2, 2), new("ids", SafetensorsType.Int32, 1)]);
        writer.Write("w", [1f, 2f, 3f, 4f]);
        writer.Write("ids", MemoryMarshal.AsBytes<int>([7]));
        writer.Complete();
        return path;
    }
}
