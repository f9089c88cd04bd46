using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats.Gguf;

/// <summary>Truncated and mutated files: a clear error or values, never a crash, a hang or much memory. PURESHARP_FUZZ=100000 runs as many.</summary>
public sealed class GgufFuzzTests
{
    private static readonly ulong[] Extremes = [0, 1, 2, 31, 33, 255, 256, 1 << 16, int.MaxValue, uint.MaxValue, 1UL << 32, 1UL << 62, long.MaxValue, 1UL << 63, ulong.MaxValue];

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private static int Runs => int.TryParse(Environment.GetEnvironmentVariable("PURESHARP_FUZZ"), CultureInfo.InvariantCulture, out int runs) ? runs : 2000;

    [Fact]
    public void Damaged_files_give_clear_errors()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("whole.gguf");
        SmallGguf.Write(path);
        Damage(folder, File.ReadAllBytes(path), header: 700, SmallGguf.ReadAll);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Damaged_models_give_clear_errors(bool isByteLevel)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("whole.gguf"), files = folder.File("files");
        Directory.CreateDirectory(files);
        int header = TinyGgufModel.Write(path, isByteLevel);
        TinyGgufModel.ReadAll(path, files);
        Damage(folder, File.ReadAllBytes(path), header, damaged => TinyGgufModel.ReadAll(damaged, files));
    }

    private static void Damage(TemporaryFolder folder, byte[] whole, int header, Action<string> read)
    {
        string damaged = folder.File("damaged.gguf");
        var random = new Random(11);
        int refused = 0;
        for (int run = 0; run < Runs; run++)
        {
            byte[] bytes = Damaged(whole, header, random);
            File.WriteAllBytes(damaged, bytes);
            long before = GC.GetAllocatedBytesForCurrentThread();
            (bool isRefused, TimeSpan time) = Try(read, damaged);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= (2 * bytes.Length) + (64 << 20), $"Run {run} allocated {allocated} bytes for a file of {bytes.Length}.");
            for (int again = 0; time > Longest && again < 3; again++)
            {
                // On a busy machine any step can take long once.
                time = Try(read, damaged).Time;
            }

            Assert.True(time <= Longest, $"Run {run} took {time}.");
            refused += isRefused ? 1 : 0;
        }

        Assert.InRange(refused, Runs / 4, Runs);
    }

    [Fact]
    public void A_list_of_millions_of_empty_texts_takes_little_memory()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("texts.gguf");
        const int Count = 3_000_000;
        byte[] start = [.. GgufFileTests.Header(0, 1), 1, 0, 0, 0, 0, 0, 0, 0, (byte)'k', 9, 0, 0, 0, 8, 0, 0, 0];
        var bytes = new byte[start.Length + 8 + (8 * Count)];
        start.CopyTo(bytes, 0);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(start.Length), Count);
        File.WriteAllBytes(path, bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();

        using GgufFile file = GgufFile.Open(path);
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => file.ReadTexts("k"));

        Assert.Contains("a list of 3000000 elements", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static (bool IsRefused, TimeSpan Time) Try(Action<string> read, string path)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            read(path);
            return (false, Stopwatch.GetElapsedTime(start));
        }
        catch (WeightFormatException error)
        {
            Assert.DoesNotContain('\n', error.Message);
            return (true, Stopwatch.GetElapsedTime(start));
        }
    }

    private static byte[] Damaged(byte[] whole, int header, Random random)
    {
        byte[] bytes = [.. whole];
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                for (int i = random.Next(1, 4); i > 0; i--)
                {
                    bytes[random.Next(header)] = (byte)random.Next(256);
                }

                return bytes;
            case 2:
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(random.Next(header - 8)), Extremes[random.Next(Extremes.Length)]);
                return bytes;
            default:
                int from = random.Next(header), length = random.Next(1, 40);
                return random.Next(2) == 0 ? [.. bytes[..from], .. bytes[Math.Min(from + length, bytes.Length)..]] : [.. bytes[..from], .. bytes[from..Math.Min(from + length, bytes.Length)], .. bytes[from..]];
        }
    }
}
