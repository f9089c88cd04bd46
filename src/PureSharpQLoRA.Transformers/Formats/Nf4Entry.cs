using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A weight that a checkpoint stores as NF4 codes. Reading is thread-safe.</summary>
public sealed class Nf4Entry
{
    private readonly CheckpointTensor _codes;
    private readonly CheckpointTensor _absmax;
    private readonly CheckpointTensor? _nestedAbsmax;
    private readonly float[]? _nestedMap;
    private readonly Bnb4BitState _state;

    private Nf4Entry(string name, Bnb4BitState state, CheckpointTensor codes, CheckpointTensor absmax, CheckpointTensor? nestedAbsmax, float[]? nestedMap)
    {
        (Name, _state, _codes, _absmax, _nestedAbsmax, _nestedMap) = (name, state, codes, absmax, nestedAbsmax, nestedMap);
    }

    /// <summary>The name of the weight.</summary>
    public string Name { get; }

    /// <summary>[outputs, inputs].</summary>
    public Shape Shape => new((int)_state.Shape[0], (int)_state.Shape[1]);

    /// <summary>The type the weight had before, and that bitsandbytes decodes it to.</summary>
    public DataType OriginalType => _state.Type;

    /// <summary>Whether the absolute maxima are quantised themselves.</summary>
    public bool IsDoubleQuantized => _nestedMap is not null;

    /// <summary>The bytes of the codes.</summary>
    public long CodeBytes => Nf4Format.CodeBytes(Shape.Count);

    /// <summary>The number of blocks.</summary>
    public long Blocks => Nf4Format.Blocks(Shape.Count);

    /// <summary>The file of the codes, and where they begin in it, for use in place.</summary>
    public CheckpointTensor Codes => _codes;

    /// <summary>Reads codes, two elements a byte.</summary>
    /// <param name="firstByte">Where to begin.</param>
    /// <param name="target">Filled entirely.</param>
    public void ReadCodes(long firstByte, Span<byte> target) => _codes.ReadBytes(firstByte, target);

    /// <summary>Reads all absolute maxima, decoded to fp32.</summary>
    /// <param name="target">[<see cref="Blocks"/>].</param>
    /// <exception cref="ArgumentException"><paramref name="target"/> has another length.</exception>
    public void ReadAbsmax(Span<float> target)
    {
        if (target.Length != Blocks)
        {
            throw new ArgumentException($"The weight '{Name}' has {Blocks} blocks, not {target.Length}.", nameof(target));
        }

        if (_nestedMap is null)
        {
            _absmax.ReadFloats(0, target);
            return;
        }

        var codes = new byte[target.Length];
        _absmax.ReadBytes(0, codes);
        var nested = new float[Nf4Format.NestedBlocks(target.Length)];
        _nestedAbsmax!.ReadFloats(0, nested);
        DoubleQuantizer.Dequantize(codes, _nestedMap, nested, _state.NestedOffset!.Value, target);
    }

    internal static Nf4Entry Read(CheckpointReader reader, string name, CheckpointTensor stateTensor)
    {
        const int MaxStateBytes = 1 << 16;
        string file = stateTensor.File.Path;
        if (stateTensor.Entry.Bytes > MaxStateBytes)
        {
            throw new WeightFormatException(file, $"its quant_state takes {stateTensor.Entry.Bytes} bytes, which is too much", name);
        }

        var json = new byte[stateTensor.Entry.Bytes];
        stateTensor.ReadBytes(0, json);
        Bnb4BitState state = Bnb4BitState.Read(file, name, json);
        long count = state.Shape[0] * state.Shape[1];
        CheckpointTensor codes = Part(name);
        RequireBytes(codes, Nf4Format.CodeBytes(count), "codes");
        CheckQuantMap(Part(Bnb4BitKeys.QuantMap(name)));

        CheckpointTensor absmax = Part(Bnb4BitKeys.Absmax(name));
        long blocks = Nf4Format.Blocks(count);
        if (state.NestedOffset is null)
        {
            RequireType(absmax, SafetensorsType.Float32);
            RequireBytes(absmax, blocks * sizeof(float), "absolute maxima");
            return new Nf4Entry(name, state, codes, absmax, null, null);
        }

        RequireType(absmax, SafetensorsType.UInt8);
        RequireBytes(absmax, blocks, "absolute maxima");
        CheckpointTensor nestedAbsmax = Part(Bnb4BitKeys.NestedAbsmax(name));
        RequireType(nestedAbsmax, SafetensorsType.Float32);
        RequireBytes(nestedAbsmax, Nf4Format.NestedBlocks(blocks) * sizeof(float), "nested scales");
        CheckpointTensor mapTensor = Part(Bnb4BitKeys.NestedQuantMap(name));
        RequireType(mapTensor, SafetensorsType.Float32);
        RequireBytes(mapTensor, DoubleQuantizer.Map.Length * sizeof(float), "map of 8-bit codes");
        var map = new float[DoubleQuantizer.Map.Length];
        mapTensor.ReadFloats(0, map);
        return new Nf4Entry(name, state, codes, absmax, nestedAbsmax, map);

        CheckpointTensor Part(string part) => reader.Tensors.TryGetValue(part, out CheckpointTensor? tensor)
            ? tensor
            : throw new WeightFormatException(file, $"it is a 4-bit weight, but '{part}' is missing", name);

        static void RequireBytes(CheckpointTensor tensor, long bytes, string what)
        {
            if (tensor.Entry.Bytes != bytes)
            {
                throw new WeightFormatException(
                    tensor.File.Path, $"{what} of the shape in its quant_state take {bytes} bytes, but {tensor.Entry.Bytes} are stored", tensor.Entry.Name, tensor.Entry.Offset);
            }
        }

        static void RequireType(CheckpointTensor tensor, SafetensorsType type)
        {
            if (tensor.Entry.Type != type)
            {
                throw new WeightFormatException(
                    tensor.File.Path, $"it is stored as {tensor.Entry.Type.HeaderName()} where {type.HeaderName()} was expected", tensor.Entry.Name, tensor.Entry.Offset);
            }
        }
    }

    private static void CheckQuantMap(CheckpointTensor tensor)
    {
        // Another code book would decode to other weights without any sign of it.
        const float Tolerance = 1e-6f;
        bool same = tensor.Entry.Count == Nf4Format.Levels.Length;
        if (same)
        {
            Span<float> levels = stackalloc float[Nf4Format.Levels.Length];
            tensor.ReadFloats(0, levels);
            for (int i = 0; i < levels.Length; i++)
            {
                same &= MathF.Abs(levels[i] - Nf4Format.Levels[i]) <= Tolerance;
            }
        }

        if (!same)
        {
            throw new WeightFormatException(tensor.File.Path, "its levels are not those of NF4", tensor.Entry.Name, tensor.Entry.Offset);
        }
    }
}
