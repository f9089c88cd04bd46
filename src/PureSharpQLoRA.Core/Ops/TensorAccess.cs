using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Core;

/// <summary>Typed copies between host and device.</summary>
public static class TensorAccess
{
    /// <summary>Copies values into an fp32 tensor.</summary>
    public static void Upload(this IBackend backend, ReadOnlySpan<float> source, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ShapeException.ThrowIfNot(to, DataType.Float32, "Upload", "the tensor");
        backend.Upload(MemoryMarshal.AsBytes(source), to);
    }

    /// <summary>Copies values into an int32 tensor.</summary>
    public static void Upload(this IBackend backend, ReadOnlySpan<int> source, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ShapeException.ThrowIfNot(to, DataType.Int32, "Upload", "the tensor");
        backend.Upload(MemoryMarshal.AsBytes(source), to);
    }

    /// <summary>Copies an fp32 tensor to the host.</summary>
    public static void Download(this IBackend backend, Tensor from, Span<float> to)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ShapeException.ThrowIfNot(from, DataType.Float32, "Download", "the tensor");
        backend.Download(from, MemoryMarshal.AsBytes(to));
    }

    /// <summary>A tensor of fp32, fp16 or bf16 as a new array, for tests and small results.</summary>
    public static float[] ToArray(this IBackend backend, Tensor from)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(from);
        var values = new float[from.Shape.Count];
        if (from.DataType == DataType.Float32)
        {
            backend.Download(from, values.AsSpan());
            return values;
        }

        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Workspace);
        Tensor converted = scope.Allocate(from.Shape);
        backend.Copy(from, converted);
        backend.Download(converted, values.AsSpan());
        return values;
    }
}
