using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.PtxMachine;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>A backend on the PTX machine whose launches are written down.</summary>
internal sealed class LaunchLog : IDisposable
{
    public LaunchLog(int architecture, DataType activations = DataType.Float32)
    {
        var device = new PtxMachineDevice(architecture) { Launched = (kernel, _, report) => Launches.Add((kernel.Key, report)) };
        Backend = new IlgpuBackend(device, new CudaOptions { ActivationType = activations });
        Scope = new TensorScope(Backend.Memory, MemoryPurpose.Activations);
    }

    public IlgpuBackend Backend { get; }

    public TensorScope Scope { get; }

    /// <summary>What was launched since it was cleared last.</summary>
    public List<(KernelKey Key, LaunchReport Report)> Launches { get; } = [];

    /// <summary>A tensor of these values.</summary>
    public Tensor Upload(Shape shape, ReadOnlySpan<float> values)
    {
        Tensor tensor = Scope.Allocate(shape);
        Backend.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Asserts that the last launch was of a kernel, moved few more sectors than its fewest bytes fill, and used them well.</summary>
    public LaunchReport AssertTraffic(string kernel, long fewestBytes, double factor = 1.15, double sectorUse = 0.9)
    {
        (KernelKey key, LaunchReport report) = Launches[^1];
        Assert.Equal(kernel, key.Method);
        double ratio = report.GlobalSectors * 32.0 / fewestBytes;
        Assert.True(ratio <= factor, $"{key.Name}: {report.GlobalSectors * 32} bytes in sectors, {ratio:F3} times the fewest.");
        Assert.True(report.CoalescingEfficiency >= sectorUse, $"{key.Name}: {report.CoalescingEfficiency:P1} of the sectors used.");
        return report;
    }

    public void Dispose()
    {
        Scope.Dispose();
        Backend.Dispose();
    }
}
