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
