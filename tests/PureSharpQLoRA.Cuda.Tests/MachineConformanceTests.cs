using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.Testing.Conformance;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The suite on the PTX machine, for one PTX target and one type of activations.</summary>
public abstract class MachineConformance(int architecture, DataType activations) : BackendConformance
{
    protected override IBackend Backend { get; } = new IlgpuBackend(new PtxMachineDevice(architecture), new CudaOptions { ActivationType = activations });

    protected override long LargestCase => 1_000_000;
}

/// <summary>The kernels for Turing, with fp32 activations: the most sizes, since the general paths are the same for all types.</summary>
public sealed class TuringSingleConformanceTests() : MachineConformance(75, DataType.Float32);

/// <summary>Fewer sizes: those that fit a vector, a tile, or nothing.</summary>
public abstract class ReducedConformance(int architecture, DataType activations) : MachineConformance(architecture, activations)
{
    protected override int[] Widths => [1, 17, 64, 288];

    protected override int[] TokenCounts => [1, 33];

    protected override int[][] DocumentCases => [[0, 1], [0, 33], [0, 5, 38]];

    protected override long LargestCase => 300_000;
}

/// <summary>The kernels for Turing, with fp16 activations.</summary>
public sealed class TuringHalfConformanceTests() : ReducedConformance(75, DataType.Float16);

/// <summary>The kernels for Ampere and later, with fp32 activations.</summary>
public sealed class AmpereSingleConformanceTests() : ReducedConformance(80, DataType.Float32);

/// <summary>The kernels for Ampere and later, with fp16 activations.</summary>
public sealed class AmpereHalfConformanceTests() : ReducedConformance(80, DataType.Float16);

/// <summary>The kernels for Ampere and later, with bf16 activations.</summary>
public sealed class AmpereBrainConformanceTests() : ReducedConformance(80, DataType.BFloat16);
