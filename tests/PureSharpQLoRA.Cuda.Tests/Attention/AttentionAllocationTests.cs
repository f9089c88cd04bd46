using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>A call of attention allocates nothing on the host once its kernels are there.</summary>
public sealed class AttentionAllocationTests
{
    private static readonly int[] Starts = [0, 70, 100];

    [Theory]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.Float32)]
    public void Warm_calls_allocate_nothing(DataType type)
    {
        using var backend = new IlgpuBackend(new IdleDevice(75), new CudaOptions { ActivationType = type });
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Activations);
        var shape = new AttentionShape(2, 1, 64, 0.125f);
        int tokens = Starts[^1];
        Tensor query = scope.Allocate(new Shape(tokens, shape.QueryWidth), type), key = scope.Allocate(new Shape(tokens, shape.KeyWidth), type);
        Tensor sums = scope.Allocate(new Shape(shape.Heads, tokens)), one = scope.Rows(query, 0, 1);
        Run();
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            backend.Attention(query, key, key, query, sums, shape, Starts, 0);
            backend.AttentionBackward(query, key, key, query, sums, query, query, key, key, shape, Starts);
            backend.Attention(one, key, key, one, null, shape, [0, 1], 80);
        }
    }
}
