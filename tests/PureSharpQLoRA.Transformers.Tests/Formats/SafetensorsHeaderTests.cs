using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

/// <summary>Headers that lie.</summary>
public sealed class SafetensorsHeaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{}""", 0, null)]
    [InlineData("""{"__metadata__":{"format":"pt","é":"\u00e9"}}   """, 0, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":{"x":[1]}}}""", 8, null)]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[1,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 2, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, null)]
    [InlineData("""[]""", 0, "not a JSON object")]
    [InlineData("""{"a":1}""", 0, "tensor 'a': its header entry must be an object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x""", 8, "not valid JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, "not valid JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}""", 8, "not valid JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "not valid JSON")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "dtype 'F31' is not supported")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""", 8, "dtype must be a string")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "dtype is missing")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,8]}}""", 8, "shape is missing")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "data_offsets is missing")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, "shape must be an array")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 on")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 on")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 on")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, "must be [begin, end]")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "begin <= end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "F32 [3] takes 12 bytes but data_offsets span 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}""", 8, "more elements than any file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,8]}}""", 8, "more elements than any file")]
    [InlineData("""{"a":{"dtype":"U8","shape":[8],"data_offsets":[9223372036854775799,9223372036854775807]}}""", 8, "beyond the end of any file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "4 bytes before its data belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "1 bytes after the last tensor belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "was the download cut off?")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "tensor 'b': its data overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "appears twice")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "dtype appears twice")]
    [InlineData("""{"__metadata__":{"format":1}}""", 0, "object of strings")]
    [InlineData("""{"__metadata__":[]}""", 0, "object of strings")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", 0, "appears twice")]
    public void Each_lie_is_told_apart(string header, int dataBytes, string? problem)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        string path = Write(json.Length, json, dataBytes);
        if (problem is null)
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            Assert.Equal(dataBytes, file.Entries.Values.Sum(entry => entry.Bytes));
            return;
        }

        WeightFormatException error = Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(path));
        Assert.Contains(problem, error.Message);
        Assert.StartsWith(path, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData(100_000_001)]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    public void A_giant_header_is_refused_before_memory_is_taken(long claimed)
    {
        string path = Write(claimed, "{}"u8.ToArray(), 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("more than the format's 100000000", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(path)).Message);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void A_header_longer_than_the_file_is_refused_before_memory_is_taken()
    {
        string path = Write(50_000_000, "{}"u8.ToArray(), 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("claims 50000000 bytes but only 2 follow", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(path)).Message);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void Short_missing_and_foreign_files_are_named()
    {
        string path = _folder.File("short");
        File.WriteAllBytes(path, [1, 2, 3]);
        Assert.Contains("3 bytes, too few", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(path)).Message);
        Assert.Contains("does not exist", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(_folder.File("none"))).Message);
        Assert.Contains("this is a folder", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(_folder.Path)).Message);
        File.WriteAllBytes(path, "PK\u0003\u0004 a pickled archive of weights"u8.ToArray());
        Assert.Contains("not a safetensors file", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(path)).Message);
        byte[] invalid = [.. "{\"a"u8, 0xff, 0xfe, .. "\":1}"u8];
        Assert.Contains("not valid JSON", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(Write(invalid.Length, invalid, 0))).Message);
        byte[] deep = Encoding.UTF8.GetBytes("{\"a\":{\"x\":" + new string('[', 100_000));
        Assert.Contains("not valid JSON", Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(Write(deep.Length, deep, 0))).Message);
    }

    [Fact]
    public void Mutated_headers_end_in_a_typed_error_or_a_consistent_file()
    {
        byte[] valid = Encoding.UTF8.GetBytes(
            """{"__metadata__":{"format":"pt"},"w.a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"w.b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"w.c":{"dtype":"U8","shape":[5],"data_offsets":[32,37]}}""");
        string[] pieces = ["0", "9", "-", "1e9", "\"", "{", "}", "[", "]", ",", ":", "F64", "\\u0000", "\\", "null", "24", " ", "99999999999"];
        var random = new Random(5);
        var clock = Stopwatch.StartNew();
        long before = GC.GetAllocatedBytesForCurrentThread();
        const int Rounds = 3000;
        int accepted = 0;
        for (int round = 0; round < Rounds; round++)
        {
            List<byte> mutated = [.. valid];
            long claimed = -1;
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(mutated.Count);
                switch (random.Next(6))
                {
                    case 0: mutated[at] = (byte)random.Next(256); break;
                    case 1: mutated.RemoveAt(at); break;
                    case 2: mutated.InsertRange(at, Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)])); break;
                    case 3: mutated.InsertRange(at, mutated.Skip(at).Take(random.Next(60)).ToArray()); break;
                    case 4: mutated.RemoveRange(at, Math.Min(random.Next(1, 30), mutated.Count - at)); break;
                    default: claimed = random.Next(2) == 0 ? random.Next(400) : random.NextInt64(); break;
                }

                if (mutated.Count == 0)
                {
                    mutated.Add((byte)'{');
                }
            }

            string path = Write(claimed < 0 ? mutated.Count : claimed, [.. mutated], random.Next(10) == 0 ? random.Next(60) : 37);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                accepted++;
                foreach (SafetensorsEntry entry in file.Entries.Values)
                {
                    file.ReadBytes(entry, 0, new byte[entry.Bytes]);
                }
            }
            catch (WeightFormatException error)
            {
                Assert.DoesNotContain('\n', error.Message);
            }
        }

        Assert.InRange(accepted, 1, Rounds - 1);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"took {clock.Elapsed}");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < Rounds * 100_000L);
    }

    private string Write(long claimedHeader, byte[] header, int dataBytes)
    {
        string path = _folder.File("lie.safetensors");
        var file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, claimedHeader);
        header.CopyTo(file, 8);
        File.WriteAllBytes(path, file);
        return path;
    }
}
