using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>Moves values between the host and tensors of fp32, fp16 or bf16 by their bits, so that no operation of the backend takes part.</summary>
public static class HostCopies
{
    /// <summary>Stores values in the tensor's type.</summary>
    public static void Upload(IBackend backend, float[] values, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(to);
        if (to.DataType == DataType.Float32)
        {
            backend.Upload(values, to);
            return;
        }

        ushort[] bits = [.. values.Select(value => ReferenceHalves.ToBits(value, to.DataType))];
        backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), to);
    }

    /// <summary>The values of a tensor.</summary>
    public static float[] Download(IBackend backend, Tensor from)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(from);
        var values = new float[from.Shape.Count];
        if (from.DataType == DataType.Float32)
        {
            backend.Download(from, values);
            return values;
        }

        var bits = new ushort[values.Length];
        backend.Download(from, MemoryMarshal.AsBytes(bits.AsSpan()));
        return [.. bits.Select(value => ReferenceHalves.FromBits(value, from.DataType))];
    }
}
