using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.Conformance;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests.Products;

/// <summary>A backend on the PTX machine and operands for products. Values are multiples of 1/128 in [-1, 1), which every type holds exactly.</summary>
internal sealed class ProductBench : IDisposable
{
    private const int Around = 64;

    private readonly Random _random = new(20263);
    private readonly TensorScope _scope;

    public ProductBench(int architecture, DataType activations)
    {
        var device = new PtxMachineDevice(architecture) { Launched = (kernel, grid, report) => Launches.Add((kernel, grid, report)) };
        Backend = new IlgpuBackend(device, new CudaOptions { ActivationType = activations });
        _scope = new TensorScope(Backend.Memory, MemoryPurpose.Activations);
    }

    public IlgpuBackend Backend { get; }

    /// <summary>Everything that was launched since the last <c>Clear</c>.</summary>
    public List<(CompiledKernel Kernel, GridSize Grid, LaunchReport Report)> Launches { get; } = [];

    /// <summary>The launches of the product on tensor cores.</summary>
    public IEnumerable<LaunchReport> TensorLaunches => Launches.Where(l => l.Kernel.Key.Class.Name.StartsWith("TensorProduct", StringComparison.Ordinal)).Select(l => l.Report);

    /// <summary>What a result may differ from the exact one, relative: its own rounding, or that of a sum in fp32.</summary>
    public static double Bound(DataType type) => type switch
    {
        DataType.Float32 => 1e-6,
        DataType.Float16 => 3e-4,
        _ => 2.4e-3,
    };

    public double[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(-128, 128) / 128.0)];

    /// <summary>An operand among NaN; its address is a multiple of 16 bytes, or <paramref name="shift"/> elements off.</summary>
    public Operand Make(int rows, int columns, DataType type, int shift = 0) => Make(rows, columns, type, Values(rows * columns), shift);

    public Operand Make(int rows, int columns, DataType type, double[] values, int shift = 0)
    {
        float[] padded = new float[values.Length + 2 * Around];
        Array.Fill(padded, float.NaN);
        for (int i = 0; i < values.Length; i++)
        {
            padded[Around + shift + i] = (float)values[i];
        }

        Tensor whole = _scope.Allocate(new Shape(padded.Length), type);
        if (type == DataType.Float32)
        {
            Backend.Upload(padded, whole);
        }
        else
        {
            ushort[] bits = [.. padded.Select(v => type == DataType.BFloat16 ? ReferenceHalves.ToBFloat16(v) : ReferenceHalves.ToFloat16(v))];
            Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), whole);
        }

        return new Operand(_scope.Wrap(new Shape(rows, columns), type, whole.Buffer!, type.BytesFor(Around + shift)), values);
    }

    public double[] Read(Tensor tensor) => [.. Backend.ToArray(tensor).Select(v => (double)v)];

    public void Dispose()
    {
        _scope.Dispose();
        LeakCheck.DisposeAndAssert(Backend);
    }
}
