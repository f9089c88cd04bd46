using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Kernels.Cases;

/// <summary>Makes the operands of a case: random ones, or none at all where nothing computes with them.</summary>
internal sealed class CaseTensors(IBackend backend, bool filled) : IDisposable
{
    private readonly TensorScope _scope = new(backend.Memory, MemoryPurpose.Activations);
    private readonly Random _random = new(4);

    public IBackend Backend => backend;

    /// <summary>Random values in the activation type.</summary>
    public Tensor Activation(int rows, int columns) => Dense(backend.ActivationType, rows, columns);

    /// <summary>Random fp32 values.</summary>
    public Tensor Single(int rows, int columns) => Dense(DataType.Float32, rows, columns);

    /// <summary>Random values in [-1, 1), a vector where there is one row.</summary>
    public Tensor Dense(DataType type, int rows, int columns)
    {
        Tensor tensor = _scope.Allocate(rows == 0 ? new Shape(columns) : new Shape(rows, columns), type);
        if (filled)
        {
            float[] values = [.. Enumerable.Range(0, (int)tensor.Shape.Count).Select(_ => (float)((2 * _random.NextDouble()) - 1))];
            backend.Upload(Stored(values, type), tensor);
        }

        return tensor;
    }

    /// <summary>Random fp32 values in a vector.</summary>
    public Tensor Vector(int size) => Dense(DataType.Float32, 0, size);

    /// <summary>Random codes and maxima.</summary>
    public Tensor Nf4(int rows, int columns)
    {
        Tensor tensor = _scope.Allocate(new Shape(rows, columns), DataType.Nf4);
        tensor.AttachStatistics(new Nf4Statistics(Vector((int)Nf4Format.Blocks(tensor.Shape.Count))));
        if (filled)
        {
            var codes = new byte[tensor.Bytes];
            _random.NextBytes(codes);
            backend.Upload(codes, tensor);
        }

        return tensor;
    }

    /// <summary>Random bytes in a vector.</summary>
    public Tensor Bytes(int size)
    {
        Tensor tensor = _scope.Allocate(new Shape(size), DataType.UInt8);
        if (filled)
        {
            var codes = new byte[size];
            _random.NextBytes(codes);
            backend.Upload(codes, tensor);
        }

        return tensor;
    }

    /// <summary>Ids below a bound.</summary>
    public Tensor Ids(int count, int end)
    {
        Tensor tensor = _scope.Allocate(new Shape(count), DataType.Int32);
        if (filled)
        {
            int[] ids = [.. Enumerable.Range(0, count).Select(_ => _random.Next(end))];
            backend.Upload(MemoryMarshal.AsBytes(ids.AsSpan()), tensor);
        }

        return tensor;
    }

    public void Dispose() => _scope.Dispose();

    private static byte[] Stored(float[] values, DataType type) => type switch
    {
        DataType.Float32 => MemoryMarshal.AsBytes(values.AsSpan()).ToArray(),
        DataType.Float16 => MemoryMarshal.AsBytes(values.Select(value => (Half)value).ToArray().AsSpan()).ToArray(),
        _ => MemoryMarshal.AsBytes(values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).ToArray().AsSpan()).ToArray(),
    };
}
