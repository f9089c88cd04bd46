using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>
/// Computes on the processor: SIMD kernels on a team of threads. Results depend on the inputs, the vector width and the compute type,
/// not on how threads happen to share the work. The parts of the class hold one family of operations each.
/// </summary>
public sealed unsafe partial class CpuBackend : IBackend
{
    private readonly ThreadTeam _team;
    private bool _disposed;

    /// <summary>A backend with threads of its own.</summary>
    /// <exception cref="NotSupportedException">The compute type is neither fp32 nor bf16.</exception>
    public CpuBackend(CpuOptions? options = null)
    {
        options ??= new CpuOptions();
        if (options.ComputeType is not (DataType.Float32 or DataType.BFloat16))
        {
            throw new NotSupportedException($"The CPU computes in Float32 or BFloat16, not in {options.ComputeType}.");
        }

        int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        _team = new ThreadTeam(threads);
        Memory = new MemoryPool(new CpuAllocator());
        Threads = threads;
        Products = new Gemm.GemmEngine(_team, Memory, options.ComputeType == DataType.BFloat16);
        ComputeType = Products.IsBf16 ? DataType.BFloat16 : DataType.Float32;
    }

    /// <inheritdoc/>
    public string Name => $"CPU, {Threads} threads, {VectorBits}-bit vectors, {(ComputeType == DataType.BFloat16 ? "bf16" : "fp32")} products";

    /// <summary>Threads that compute.</summary>
    public int Threads { get; }

    /// <summary>The type in which operands are really multiplied.</summary>
    public DataType ComputeType { get; }

    /// <inheritdoc/>
    public DataType ActivationType => DataType.Float32;

    /// <inheritdoc/>
    public bool SharesHostMemory => true;

    /// <inheritdoc/>
    public MemoryPool Memory { get; }

    /// <summary>The matrix products.</summary>
    internal Gemm.GemmEngine Products { get; }

    private static int VectorBits =>
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 32;

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<byte> source, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(to);
        CheckBytes(to, source.Length, "Upload");
        source.CopyTo(new Span<byte>(Write(to), source.Length));
    }

    /// <inheritdoc/>
    public void Download(Tensor from, Span<byte> to)
    {
        ArgumentNullException.ThrowIfNull(from);
        CheckBytes(from, to.Length, "Download");
        new ReadOnlySpan<byte>(Read(from), to.Length).CopyTo(to);
    }

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
        Products.Dispose();
        _attention.Dispose();
        Memory.Dispose();
        _team.Dispose();
    }

    /// <summary>The only way kernels reach a tensor they read.</summary>
    private static void* Read(Tensor tensor) => (void*)tensor.Address;

    /// <summary>The only way kernels reach a tensor they write: prepared forms of its old content become stale.</summary>
    private static void* Write(Tensor tensor)
    {
        tensor.MarkWritten();
        return (void*)tensor.Address;
    }

    /// <summary>As <see cref="Read"/>, for fp32.</summary>
    private static float* ReadFloats(Tensor tensor, string operation, string operand)
    {
        ShapeException.ThrowIfNot(tensor, DataType.Float32, operation, operand);
        return (float*)Read(tensor);
    }

    /// <summary>As <see cref="Write"/>, for fp32.</summary>
    private static float* WriteFloats(Tensor tensor, string operation, string operand)
    {
        ShapeException.ThrowIfNot(tensor, DataType.Float32, operation, operand);
        return (float*)Write(tensor);
    }

    private static void CheckBytes(Tensor tensor, long bytes, string operation)
    {
        if (tensor.Bytes != bytes)
        {
            throw new ShapeException(operation, "the host's memory", $"{tensor.Bytes} bytes for {tensor}", $"{bytes} bytes");
        }
    }
}
