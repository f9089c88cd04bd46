using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Attention;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda;

/// <summary>
/// Computes with kernels that ILGPU compiled from C#, on a card or on a machine that interprets their PTX. Work is queued; only
/// <see cref="Download"/> and the operations that return a value wait for it. The parts of the class hold one family of operations each.
/// </summary>
public sealed partial class IlgpuBackend : IBackend
{
    private const int VectorBytes = 16;

    private readonly IKernelDevice _device;
    private readonly KernelCache _kernels;
    private readonly HostSpans _spans;
    private readonly NarrowCopies _narrowCopies;
    private readonly LaunchArguments _arguments = new();
    private bool _disposed;

    /// <summary>A backend on a device, which it owns from now on.</summary>
    /// <exception cref="NotSupportedException">The card is too old, or cannot store the wanted type.</exception>
    public IlgpuBackend(IKernelDevice device, CudaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        options ??= new CudaOptions();
        _device = device;
        _kernels = new KernelCache(device) { Compiling = options.Compiling };
        bool brain = _kernels.Architecture >= 80;
        ActivationType = options.ActivationType ?? (brain ? DataType.BFloat16 : DataType.Float16);
        if (ActivationType is not (DataType.Float32 or DataType.Float16 or DataType.BFloat16))
        {
            throw new NotSupportedException($"Activations are stored in Float32, Float16 or BFloat16, not in {ActivationType}.");
        }

        if (ActivationType == DataType.BFloat16 && !brain)
        {
            throw new NotSupportedException($"{device.Properties.Name} has no bf16 tensor cores (compute capability 8.0 is needed); use Float16.");
        }

        Memory = new MemoryPool(device);
        HostMemory = new MemoryPool(device.HostMemory);
        _spans = new HostSpans(Memory, device);
        _narrowCopies = new NarrowCopies(Memory);
        _attention = new AttentionKernels(_kernels.Architecture);
    }

    /// <inheritdoc/>
    public string Name => $"{_device.Properties.Name}, {ActivationType} activations";

    /// <inheritdoc/>
    public DataType ActivationType { get; }

    /// <inheritdoc/>
    public bool SharesHostMemory => false;

    /// <inheritdoc/>
    public MemoryPool Memory { get; }

    /// <summary>The device that computes.</summary>
    public DeviceProperties Device => _device.Properties;

    /// <summary>Bytes of the device that are free now.</summary>
    public long FreeMemoryBytes => _device.FreeMemoryBytes;

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<byte> source, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(to);
        CheckBytes(to, source.Length, "Upload");
        if (!source.IsEmpty)
        {
            _device.CopyToDevice(source, Write(to));
        }
    }

    /// <inheritdoc/>
    public void Download(Tensor from, Span<byte> to)
    {
        ArgumentNullException.ThrowIfNull(from);
        CheckBytes(from, to.Length, "Download");
        if (!to.IsEmpty)
        {
            _device.CopyToHost(from.Address, to);
        }
    }

    /// <summary>Waits for all queued work.</summary>
    public void Synchronize() => _device.Synchronize();

    /// <inheritdoc/>
    public void CompleteBackward()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _spans.Dispose();
        _narrowCopies.Dispose();
        Memory.Dispose();
        HostMemory.Dispose();
        _device.Dispose();
    }

    /// <summary>The only way kernels reach a tensor they write: prepared forms of its old content become stale.</summary>
    private static nint Write(Tensor tensor)
    {
        tensor.MarkWritten();
        return tensor.Address;
    }

    /// <summary>The <see cref="IElement{TSelf}"/> of a dense tensor.</summary>
    private static Type Element(Tensor tensor) => Element(tensor.DataType);

    private static Type Element(DataType type) => type switch
    {
        DataType.Float32 => typeof(SingleElement),
        DataType.Float16 => typeof(HalfElement),
        DataType.BFloat16 => typeof(BrainElement),
        _ => throw new NotSupportedException($"No arithmetic on {type}."),
    };

    /// <summary>The <see cref="IVector"/> of a dense tensor.</summary>
    private static Type Vector(Tensor tensor) => tensor.DataType switch
    {
        DataType.Float32 => typeof(SingleVector),
        DataType.Float16 => typeof(HalfVector),
        DataType.BFloat16 => typeof(BrainVector),
        _ => throw new NotSupportedException($"No arithmetic on {tensor.DataType}."),
    };

    /// <summary>Whether every row of a tensor can be read in chunks of eight elements at multiples of 16 bytes.</summary>
    private static bool IsVectorized(Tensor tensor) => tensor.Shape.Columns % 8 == 0 && tensor.Address % VectorBytes == 0;

    private static void CheckBytes(Tensor tensor, long bytes, string operation)
    {
        if (tensor.Bytes != bytes)
        {
            throw new ShapeException(operation, "the host's memory", $"{tensor.Bytes} bytes for {tensor}", $"{bytes} bytes");
        }
    }

    private void Launch(in KernelKey key, GridSize grid, LaunchArguments arguments) => _device.Launch(_kernels.Get(key), grid, key.Threads, arguments.Bytes);
}
