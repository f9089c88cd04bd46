using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>Tensors of any floating type, as numbers in double.</summary>
internal static class LaunchLogValues
{
    /// <summary>Random values in [-amplitude, amplitude), as the type stores them.</summary>
    public static (Tensor Tensor, double[] Values) Random(this LaunchLog log, Shape shape, DataType type, int seed, double amplitude = 1)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, (int)shape.Count).Select(_ => (float)(((2 * random.NextDouble()) - 1) * amplitude))];
        Tensor tensor = log.Scope.Allocate(shape, type);
        if (type == DataType.Float32)
        {
            log.Backend.Upload(values, tensor);
        }
        else
        {
            ushort[] bits = [.. values.Select(value => ReferenceHalves.ToBits(value, type))];
            log.Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), tensor);
        }

        return (tensor, [.. values.Select(value => (double)ReferenceHalves.Round(value, type))]);
    }

    /// <summary>Random codes with maxima in [0.5, 2.5).</summary>
    public static (Tensor Tensor, double[] Values) RandomNf4(this LaunchLog log, Shape shape, int seed)
    {
        var random = new Random(seed);
        var codes = new byte[Nf4Format.CodeBytes(shape.Count)];
        random.NextBytes(codes);
        float[] maxima = [.. Enumerable.Range(0, (int)Nf4Format.Blocks(shape.Count)).Select(_ => 0.5f + (2 * random.NextSingle()))];
        Tensor tensor = log.Scope.Allocate(shape, DataType.Nf4);
        log.Backend.Upload(codes, tensor);
        tensor.AttachStatistics(new Nf4Statistics(log.Upload(new Shape(maxima.Length), maxima)));
        return (tensor, ReferenceNf4.Decode(codes, maxima, (int)shape.Count));
    }

    /// <summary>What a tensor holds.</summary>
    public static double[] Values(this LaunchLog log, Tensor tensor)
    {
        if (tensor.DataType == DataType.Float32)
        {
            return [.. log.Backend.ToArray(tensor).Select(value => (double)value)];
        }

        var bits = new ushort[tensor.Shape.Count];
        log.Backend.Download(tensor, MemoryMarshal.AsBytes(bits.AsSpan()));
        return [.. bits.Select(b => (double)ReferenceHalves.FromBits(b, tensor.DataType))];
    }
}
