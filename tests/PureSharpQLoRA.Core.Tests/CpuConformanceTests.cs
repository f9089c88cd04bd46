using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.Conformance;

namespace PureSharpQLoRA.Core.Tests;

/// <summary>The CPU backend on one thread, so that nothing is shared out.</summary>
public sealed class CpuConformanceTests : BackendConformance
{
    public CpuConformanceTests() => FallbackRun.CheckInstructions();

    protected override IBackend Backend { get; } = new CpuBackend(new CpuOptions { Threads = 1 });
}

/// <summary>The CPU backend on two threads.</summary>
public sealed class CpuTwoThreadsConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = new CpuBackend(new CpuOptions { Threads = 2 });
}

/// <summary>The CPU backend with bf16 products, where the processor has them.</summary>
public sealed class CpuBFloat16ConformanceTests : BackendConformance
{
    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 2, ComputeType = DataType.BFloat16 });

    protected override IBackend Backend => _backend;

    /// <summary>Both factors of every product are rounded to 8 bits.</summary>
    protected override ConformanceBounds Bounds =>
        _backend.ComputeType == DataType.BFloat16 ? ConformanceBounds.Single with { Product = 5e-3 } : ConformanceBounds.Single;
}

/// <summary>Activations in fp16 around the CPU's operations: the suite itself with operands that are rounded, and with the few cases of a slow device.</summary>
public sealed class Float16StorageConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = new HalfStorageBackend(DataType.Float16);

    protected override int[] Widths => [1, 17, 64];

    protected override int[] TokenCounts => [1, 33];

    protected override int[][] DocumentCases => [[0, 1], [0, 33], [0, 5, 38]];

    protected override long LargestCase => 500_000;
}

/// <summary>Activations in bf16 around the CPU's operations.</summary>
public sealed class BFloat16StorageConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = new HalfStorageBackend(DataType.BFloat16);

    protected override int[] Widths => [1, 17, 64];

    protected override int[] TokenCounts => [1, 33];

    protected override int[][] DocumentCases => [[0, 1], [0, 33], [0, 5, 38]];

    protected override long LargestCase => 500_000;
}
