using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>What a launch costs the host.</summary>
public sealed class HostOverheadTests
{
    [Fact]
    public void Launches_allocate_nothing_once_their_kernels_are_compiled()
    {
        const int Tokens = 64, Width = 256, Rank = 8, Head = 64;
        var device = new IdleDevice(80);
        using var backend = new IlgpuBackend(device, new CudaOptions { ActivationType = DataType.BFloat16 });
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Activations);
        Tensor x = Activation(Width), y = Activation(Width), z = Activation(Width), odd = Activation(7), oddToo = Activation(7);
        Tensor weight = scope.Allocate(new Shape(Width)), factors = scope.Allocate(new Shape(Width)), gradient = scope.Allocate(new Shape(Width));
        Tensor oddWeight = scope.Allocate(new Shape(7)), oddGradient = scope.Allocate(new Shape(7));
        Tensor angles = scope.Allocate(new Shape(Tokens, Head / 2)), ids = scope.Allocate(new Shape(Tokens), DataType.Int32);
        Tensor table = scope.Allocate(new Shape(50, Width), DataType.BFloat16), sums = scope.Allocate(new Shape(50, Width));
        Tensor dense = scope.Allocate(new Shape(Width, Width), DataType.Float16), a = scope.Allocate(new Shape(Rank, Width)), b = scope.Allocate(new Shape(Width, Rank));
        Tensor total = scope.Allocate(ElementwiseOps.TotalShape), singles = scope.Allocate(new Shape(Tokens, Width));
        Tensor low = Activation(Rank), one = scope.Allocate(new Shape(1, Width), DataType.BFloat16), oneResult = scope.Allocate(new Shape(1, Width));
        Tensor codes = scope.Allocate(new Shape(Width, Width), DataType.Nf4);
        codes.AttachStatistics(new Nf4Statistics(scope.Allocate(new Shape(Width * Width / 64))));
        int[] positions = [.. Enumerable.Range(0, Tokens)];

        // Twice: the second round takes back what the first has rented.
        Round();
        Round();
        int before = device.Launches;
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 50; round++)
        {
            Round();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - bytes;
        Assert.True(device.Launches - before >= 1000, $"{device.Launches - before} launches");
        Assert.Equal(0, allocated);

        Tensor Activation(int width) => scope.Allocate(new Shape(Tokens, width), DataType.BFloat16);

        void Round()
        {
            backend.Fill(x, 1);
            backend.Copy(x, singles);
            backend.Add(x, y, z);
            backend.AddScaled(x, 2, y);
            backend.AddSum(singles, total);
            backend.RmsNorm(x, weight, y, 1e-5f);
            backend.RmsNormBackward(x, weight, y, 1e-5f, z, true, gradient, true);
            backend.RmsNorm(odd, oddWeight, oddToo, 1e-5f);
            backend.RmsNormBackward(odd, oddWeight, oddToo, 1e-5f, null, false, oddGradient, false);
            backend.Rotate(x, angles, angles, positions, Head, false);
            backend.SwiGlu(x, y, z);
            backend.SwiGluBackward(x, y, z, y, z);
            backend.Gather(table, ids, x);
            backend.ScatterAdd(x, ids, sums);
            backend.Dropout(x, y, 0.1f, 1, true);
            backend.AddUniformNoise(x, 0.1f, 1);
            backend.AdaptedRowNorms(dense, a, b, 2, gradient);
            backend.ScaleColumns(x, weight, factors, y);
            backend.ColumnDots(x, y, factors, gradient, false);
            backend.MatMulTransposed(x, codes, y, term: new LowRankTerm(low, b));
            backend.MatMul(x, codes, y, accumulate: true, term: new LowRankTerm(low, a));
            backend.MatMulTransposed(one, codes, oneResult);
        }
    }
}
