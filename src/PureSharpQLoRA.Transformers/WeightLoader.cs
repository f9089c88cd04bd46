using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>Brings the weights of a folder to a device, each in the form that the options and the file ask for, and owns them.</summary>
internal sealed class WeightLoader : IDisposable
{
    /// <summary>Elements read and quantised at a time: whole blocks of NF4, and small enough that a model larger than memory streams through.</summary>
    private const int PieceElements = 1 << 20;

    /// <summary>Vector loads may run this far past a weight's end, so that far a mapped file must reach.</summary>
    private const long Slack = 128;

    private readonly CheckpointReader _checkpoint;
    private readonly TensorScope _weights;

    public WeightLoader(CheckpointReader checkpoint, IBackend backend, LoadOptions options)
    {
        if (options is { TrainAllWeights: true, LoadIn4Bit: true })
        {
            throw new ArgumentException("Weights in 4 bits cannot be trained: set LoadIn4Bit to false to train all weights, or train an adapter.");
        }

        (_checkpoint, Backend, Options) = (checkpoint, backend, options);
        _weights = new TensorScope(backend.Memory, MemoryPurpose.Weights);
    }

    public IBackend Backend { get; }

    public LoadOptions Options { get; }

    public string Folder => _checkpoint.Folder;

    public List<Linear> Linears { get; } = [];

    public List<Parameter> Parameters { get; } = [];

    /// <summary>Parts of the model that hold memory beside its weights.</summary>
    public List<IDisposable> Owned { get; } = [];

    /// <summary>A norm's scale or a bias, always fp32.</summary>
    public Tensor Vector(string name, int size)
    {
        Tensor tensor = LoadFloats(name, new Shape(size));
        if (Options.TrainAllWeights)
        {
            Parameters.Add(new Parameter(name, tensor, HasWeightDecay: false));
        }

        return tensor;
    }

    /// <summary>A matrix: NF4, dense as stored, or fp32 where it is trained.</summary>
    public Tensor Matrix(string name, int rows, int columns, bool quantizable)
    {
        var shape = new Shape(rows, columns);
        if (_checkpoint.TryGetNf4(name, out Nf4Entry? quantized))
        {
            return LoadNf4(name, quantized!, shape);
        }

        if (Options.TrainAllWeights)
        {
            Tensor tensor = LoadFloats(name, shape);
            Parameters.Add(new Parameter(name, tensor, HasWeightDecay: true));
            return tensor;
        }

        return quantizable && Options.LoadIn4Bit ? Quantize(name, shape) : LoadDense(name, shape);
    }

    public void Dispose()
    {
        foreach (IDisposable owned in Owned)
        {
            owned.Dispose();
        }

        _weights.Dispose();
        _checkpoint.Dispose();
    }

    private Tensor LoadFloats(string name, Shape shape)
    {
        CheckpointTensor stored = Find(name, shape);
        Tensor tensor = _weights.Allocate(shape);
        TensorFiles.Read(stored.File, stored.Entry, tensor, Backend);
        return tensor;
    }

    private Tensor LoadDense(string name, Shape shape)
    {
        CheckpointTensor source = Find(name, shape);
        (IWeightFile file, SafetensorsEntry entry) = source;
        DataType? type = entry.Type switch
        {
            SafetensorsType.BFloat16 => DataType.BFloat16,
            SafetensorsType.Float16 => DataType.Float16,
            SafetensorsType.Float32 => DataType.Float32,
            _ => null,
        };
        if (type is not { } stored)
        {
            return LoadFloats(name, shape);
        }

        if (Backend.SharesHostMemory && file.MapFor(entry) is { } mapped && ReachesPast(mapped, entry))
        {
            return _weights.Wrap(shape, stored, mapped.Buffer, entry.Offset);
        }

        // A device multiplies two operands of one type, so its weights take that of the activations.
        DataType kept = Backend.SharesHostMemory || Backend.ActivationType == DataType.Float32 ? stored : Backend.ActivationType;
        Tensor tensor = _weights.Allocate(shape, kept);
        var host = new HostBytes(Backend, tensor);
        if (kept == stored)
        {
            file.ReadBytes(entry, 0, host.Span);
        }
        else
        {
            ReadHalves(source, kept, MemoryMarshal.Cast<byte, ushort>(host.Span));
        }

        host.Complete();
        return tensor;
    }

    /// <summary>Rounds a stored weight to one of the 16-bit types.</summary>
    private static void ReadHalves(CheckpointTensor source, DataType type, Span<ushort> target)
    {
        var values = new float[Math.Min(target.Length, PieceElements)];
        for (int first = 0; first < target.Length; first += PieceElements)
        {
            Span<float> piece = values.AsSpan(0, Math.Min(PieceElements, target.Length - first));
            source.ReadFloats(first, piece);
            if (type == DataType.BFloat16)
            {
                HalfPrecisionConvert.ToBFloat16(piece, target.Slice(first, piece.Length));
            }
            else
            {
                HalfPrecisionConvert.ToFloat16(piece, target.Slice(first, piece.Length));
            }
        }
    }

    private Tensor Quantize(string name, Shape shape)
    {
        CheckpointTensor source = Find(name, shape);
        (Tensor codes, Tensor maxima) = AllocateNf4(shape);
        var codeBytes = new HostBytes(Backend, codes);
        var maximumBytes = new HostBytes(Backend, maxima);
        int pieces = (int)((shape.Count + PieceElements - 1) / PieceElements);
        Parallel.For(0, pieces, () => new float[Math.Min(shape.Count, PieceElements)], (piece, _, values) =>
        {
            long first = (long)piece * PieceElements;
            int count = (int)Math.Min(PieceElements, shape.Count - first);
            source.ReadFloats(first, values.AsSpan(0, count));
            Span<byte> target = codeBytes.Span.Slice((int)(first / 2), (count + 1) / 2);
            Span<float> blocks = MemoryMarshal.Cast<byte, float>(maximumBytes.Span)
                .Slice((int)(first / Nf4Format.BlockSize), (count + Nf4Format.BlockSize - 1) / Nf4Format.BlockSize);
            Nf4Quantizer.Quantize(values.AsSpan(0, count), target, blocks);
            return values;
        }, static _ => { });
        if (Options.DoubleQuantization)
        {
            QuantizeMaxima(MemoryMarshal.Cast<byte, float>(maximumBytes.Span));
        }

        codeBytes.Complete();
        maximumBytes.Complete();
        return codes;
    }

    /// <summary>Replaces absolute maxima by what double quantisation makes of them.</summary>
    private static void QuantizeMaxima(Span<float> maxima)
    {
        var codes = new byte[maxima.Length];
        var nested = new float[Nf4Format.NestedBlocks(maxima.Length)];
        float offset = DoubleQuantizer.Quantize(maxima, codes, nested);
        DoubleQuantizer.Dequantize(codes, DoubleQuantizer.Map, nested, offset, maxima);
    }

    private Tensor LoadNf4(string name, Nf4Entry entry, Shape shape)
    {
        if (Options.TrainAllWeights)
        {
            throw new WeightFormatException(Folder, "is stored in 4 bits and cannot be trained; train an adapter, or start from the 16-bit model", name);
        }

        if (entry.Shape != shape)
        {
            throw new WeightFormatException(Folder, $"has the shape {entry.Shape}, but the model needs {shape}", name);
        }

        (Tensor codes, Tensor maxima) = AllocateNf4(shape);
        var codeBytes = new HostBytes(Backend, codes);
        var maximumBytes = new HostBytes(Backend, maxima);
        entry.ReadCodes(0, codeBytes.Span);
        entry.ReadAbsmax(MemoryMarshal.Cast<byte, float>(maximumBytes.Span));
        codeBytes.Complete();
        maximumBytes.Complete();
        return codes;
    }

    private (Tensor Codes, Tensor Maxima) AllocateNf4(Shape shape)
    {
        Tensor codes = _weights.Allocate(shape, DataType.Nf4);
        Tensor maxima = _weights.Allocate(new Shape(checked((int)((shape.Count + Nf4Format.BlockSize - 1) / Nf4Format.BlockSize))));
        codes.AttachStatistics(new Nf4Statistics(maxima));
        return (codes, maxima);
    }

    private CheckpointTensor Find(string name, Shape shape)
    {
        CheckpointTensor tensor = _checkpoint.Find(name);
        TensorFiles.RequireShape(tensor.File.Path, tensor.Entry, shape);
        return tensor;
    }

    /// <summary>Whether the pages of the file reach far enough past a weight for vector loads.</summary>
    private static bool ReachesPast(MappedFile file, SafetensorsEntry entry)
    {
        long page = Environment.SystemPageSize;
        long mapped = (file.Buffer.Bytes + page - 1) / page * page;
        return entry.Offset + entry.Bytes + Slack <= mapped;
    }
}
