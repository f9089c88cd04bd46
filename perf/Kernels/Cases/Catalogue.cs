using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Dry;

namespace PureSharpQLoRA.Kernels.Cases;

/// <summary>Every kernel that the backend takes for the cases, compiled for one target.</summary>
internal static class Catalogue
{
    /// <summary>The kernels in the order in which they are first wanted, in the card's own activation type and in fp32.</summary>
    /// <param name="capability">The card's compute capability.</param>
    public static IReadOnlyList<CompiledKernel> Of(int capability)
    {
        var kernels = new List<CompiledKernel>();
        foreach (Core.DataType? activations in new Core.DataType?[] { null, Core.DataType.Float32 })
        {
            var device = new DryDevice(capability, multiprocessors: 40, memoryBytes: 16L << 30);
            using var backend = new IlgpuBackend(device, new CudaOptions { ActivationType = activations });
            foreach (OperationCase each in OperationCase.All)
            {
                using var tensors = new CaseTensors(backend, filled: false);
                each.Run(tensors);
            }

            kernels.AddRange(device.Kernels.Except(kernels));
        }

        return kernels;
    }
}
