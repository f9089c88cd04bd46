using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.Testing.Conformance;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The kernels for Turing, with fp32 activations, on the PTX machine.</summary>
public sealed class TuringSingleConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = new IlgpuBackend(new PtxMachineDevice(75), new CudaOptions { ActivationType = DataType.Float32 });
}
