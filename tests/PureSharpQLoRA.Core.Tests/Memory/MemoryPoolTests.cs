namespace PureSharpQLoRA.Core.Tests.Memory;

public sealed class MemoryPoolTests
{
    private readonly CountingAllocator _device = new();

    [Fact]
    public void Bytes_are_counted_by_purpose_and_peaks_kept()
    {
        using var pool = new MemoryPool(_device);
        DeviceBuffer weights = pool.Rent(1000, MemoryPurpose.Weights), activations = pool.Rent(300, MemoryPurpose.Activations);
        Assert.Equal((1024, 512, 1536), (pool.BytesFor(MemoryPurpose.Weights), pool.BytesFor(MemoryPurpose.Activations), pool.BytesInUse));
        activations.Release();
        Assert.Equal((1024, 1536, 512), (pool.BytesInUse, pool.PeakBytes, pool.BytesCached));
        Assert.Equal((0, 512), (pool.BytesFor(MemoryPurpose.Activations), pool.PeakBytesFor(MemoryPurpose.Activations)));
        pool.ResetPeaks();
        Assert.Equal((1024, 0), (pool.PeakBytes, pool.PeakBytesFor(MemoryPurpose.Activations)));
        weights.Release();
        Assert.Equal((0, 0), (pool.BytesInUse, pool.BytesFor(MemoryPurpose.Weights)));
    }

    [Fact]
    public void Returned_blocks_of_steps_are_used_again_and_those_of_weights_given_back()
    {
        using var pool = new MemoryPool(_device);
        DeviceBuffer first = pool.Rent(5000, MemoryPurpose.Activations);
        first.Release();
        Assert.Same(first, pool.Rent(5100, MemoryPurpose.Workspace));
        Assert.Equal(MemoryPurpose.Workspace, first.Purpose);
        Assert.Equal(1, _device.Blocks);
        first.Release();

        pool.Rent(6000, MemoryPurpose.Weights).Release();
        Assert.Equal(1, _device.Blocks);
        Assert.Equal(5120, pool.BytesCached);
    }

    [Theory]
    [InlineData(0, 256)]
    [InlineData(1, 256)]
    [InlineData(256, 256)]
    [InlineData(257, 512)]
    [InlineData(8192, 8192)]
    [InlineData(1_000_000, 1_015_808)]
    public void Sizes_are_rounded_to_classes(long bytes, long size)
    {
        using var pool = new MemoryPool(_device);
        DeviceBuffer buffer = pool.Rent(bytes, MemoryPurpose.Activations);
        Assert.Equal(size, buffer.Bytes);
        buffer.Release();
        DeviceBuffer exact = pool.Rent(bytes, MemoryPurpose.Gradients);
        Assert.Equal((Math.Max(bytes, 1) + 255) / 256 * 256, exact.Bytes);
        exact.Release();
    }

    /// <summary>At most a thirty-second part of a block is rounded up in vain.</summary>
    [Fact]
    public void Classes_waste_little()
    {
        using var pool = new MemoryPool(_device);
        for (long bytes = 8193; bytes < 1L << 34; bytes += (bytes / 7) + 1)
        {
            DeviceBuffer buffer = pool.Rent(bytes, MemoryPurpose.Activations);
            Assert.InRange(buffer.Bytes, bytes, bytes + (bytes / 32) + 256);
            buffer.Release();
            pool.Trim();
        }
    }

    [Fact]
    public void Sizes_that_are_no_longer_asked_for_do_not_pile_up()
    {
        using var pool = new MemoryPool(_device);
        for (int megabytes = 1; megabytes <= 100; megabytes++)
        {
            pool.Rent((long)megabytes << 20, MemoryPurpose.Activations).Release();
            Assert.InRange(pool.BytesCached, 0, (32L << 20) + ((long)megabytes << 20));
        }
    }

    [Fact]
    public void Trimming_gives_unused_blocks_back_and_leaves_the_rest()
    {
        using var pool = new MemoryPool(_device);
        DeviceBuffer held = pool.Rent(1000, MemoryPurpose.Activations);
        pool.Rent(2000, MemoryPurpose.Activations).Release();
        Assert.Equal(2, _device.Blocks);
        pool.Trim();
        Assert.Equal((1, 0, 1024), (_device.Blocks, pool.BytesCached, pool.BytesInUse));
        held.Release();
    }

    [Fact]
    public void A_disposed_pool_takes_back_but_hands_nothing_out()
    {
        var pool = new MemoryPool(_device);
        DeviceBuffer held = pool.Rent(1000, MemoryPurpose.Activations);
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Rent(1, MemoryPurpose.Activations));
        Assert.Equal(1, _device.Blocks);
        held.Release();
        Assert.Equal((0, 0L, 0L), (_device.Blocks, pool.BytesInUse, pool.BytesCached));
    }

    [Fact]
    public void A_full_device_gives_back_what_is_cached_and_then_says_what_fills_it()
    {
        var device = new CountingAllocator { Limit = 3 << 20 };
        using var pool = new MemoryPool(device);
        DeviceBuffer weights = pool.Rent(1 << 20, MemoryPurpose.Weights);
        pool.Rent(3 << 19, MemoryPurpose.Activations).Release();
        DeviceBuffer second = pool.Rent(2 << 20, MemoryPurpose.Activations);
        var error = Assert.Throws<DeviceMemoryException>(() => pool.Rent(1 << 20, MemoryPurpose.Gradients));
        Assert.Equal("Out of device memory: 1.0 MiB more were wanted for gradients; in use: weights 1.0 MiB, activations 2.0 MiB.", error.Message);
        weights.Release();
        second.Release();
    }

    /// <summary>A device of which only the books exist.</summary>
    private sealed class CountingAllocator : IDeviceAllocator
    {
        private readonly Dictionary<nint, long> _blocks = [];
        private nint _next = 64;

        public int Blocks => _blocks.Count;

        public long Limit { get; init; } = long.MaxValue;

        public bool TryAllocate(long bytes, out nint address)
        {
            address = _next;
            if (_blocks.Values.Sum() + bytes > Limit)
            {
                return false;
            }

            _next += (nint)bytes + 64;
            _blocks.Add(address, bytes);
            return true;
        }

        public void Free(nint address, long bytes)
        {
            Assert.True(_blocks.Remove(address, out long allocated), "The block was not allocated, or was freed before.");
            Assert.Equal(allocated, bytes);
        }
    }
}
