using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests.Memory;

public sealed unsafe class MappedFileTests
{
    [Fact]
    public void Tensors_lie_on_the_pages_of_the_file_and_keep_them()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        byte[] content = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];
        File.WriteAllBytes(folder.File("weights"), content);
        MappedFile mapped = MappedFile.Open(folder.File("weights"));
        Assert.Equal(5000, mapped.Buffer.Bytes);
        using var pool = new MemoryPool(new NoAllocator());
        using var scope = new TensorScope(pool, MemoryPurpose.Weights);
        Tensor tensor = scope.Wrap(new Shape(10, 100), DataType.Float32, mapped.Buffer, 1000);
        mapped.Dispose();
        mapped.Dispose();
        Assert.Equal(content[1000..5000], new ReadOnlySpan<byte>((byte*)tensor.Address, 4000).ToArray());
    }

    [Fact]
    public void An_empty_or_missing_file_is_named()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllBytes(folder.File("empty"), []);
        Assert.Contains("empty: the file is empty", Assert.Throws<IOException>(() => MappedFile.Open(folder.File("empty"))).Message);
        Assert.Throws<FileNotFoundException>(() => MappedFile.Open(folder.File("missing")));
    }

    private sealed class NoAllocator : IDeviceAllocator
    {
        public bool TryAllocate(long bytes, out nint address) => throw new InvalidOperationException("Nothing is to be allocated.");

        public void Free(nint address, long bytes) => throw new InvalidOperationException("Nothing is to be freed.");
    }
}
