using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Declares a weight that is to be stored as NF4 codes.</summary>
/// <param name="Name">The name of the weight, ending in `.weight`.</param>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns.</param>
/// <param name="OriginalType">The type the weight had: fp32, fp16 or bfloat16.</param>
/// <param name="NestedOffset">The mean of the absolute maxima (<see cref="DoubleQuantizer.Offset"/>) where they are quantised themselves, else null.</param>
public sealed record Bnb4BitDeclaration(string Name, long Outputs, long Inputs, DataType OriginalType, float? NestedOffset)
{
    internal long Count => checked(Outputs * Inputs);
}

/// <summary>Writes a checkpoint in bitsandbytes' 4-bit format as a stream: the same keys, types, shapes and order as bitsandbytes' own.</summary>
public sealed class Bnb4BitWriter : IDisposable
{
    private readonly SafetensorsWriter _writer;
    private readonly Dictionary<string, Bnb4BitDeclaration> _quantized;

    /// <summary>Begins a file.</summary>
    /// <param name="path">The final name.</param>
    /// <param name="plain">Tensors that are stored as they are.</param>
    /// <param name="quantized">Weights that are stored as codes.</param>
    /// <exception cref="ArgumentException">A name appears twice.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public Bnb4BitWriter(string path, IEnumerable<SafetensorsDeclaration> plain, IEnumerable<Bnb4BitDeclaration> quantized)
    {
        ArgumentNullException.ThrowIfNull(plain);
        ArgumentNullException.ThrowIfNull(quantized);
        _quantized = quantized.ToDictionary(weight => weight.Name, StringComparer.Ordinal);
        List<SafetensorsDeclaration> tensors = [.. plain];
        Dictionary<string, byte[]> states = new(StringComparer.Ordinal);
        foreach (Bnb4BitDeclaration weight in _quantized.Values)
        {
            byte[] state = new Bnb4BitState(weight.OriginalType, [weight.Outputs, weight.Inputs], weight.NestedOffset).ToJson();
            states.Add(weight.Name, state);
            Declare(tensors, weight, state.Length);
        }

        _writer = new SafetensorsWriter(path, tensors, new Dictionary<string, string> { ["format"] = "pt" });
        try
        {
            foreach ((string name, byte[] state) in states)
            {
                _writer.Write(Bnb4BitKeys.QuantStateNf4(name), state);
                _writer.Write(Bnb4BitKeys.QuantMap(name), Nf4Format.Levels);
            }
        }
        catch
        {
            _writer.Dispose();
            throw;
        }
    }

    /// <summary>Appends bytes to a tensor that is stored as it is.</summary>
    public void Write(string tensor, ReadOnlySpan<byte> bytes) => _writer.Write(tensor, bytes);

    /// <summary>Appends codes to a quantised weight.</summary>
    public void WriteCodes(string weight, ReadOnlySpan<byte> codes) => _writer.Write(weight, codes);

    /// <summary>Writes all absolute maxima of a quantised weight, once.</summary>
    /// <exception cref="ArgumentException">The weight was not declared, or has another number of blocks.</exception>
    /// <exception cref="InvalidOperationException">Their mean is not the offset that was declared.</exception>
    public void WriteAbsmax(string weight, ReadOnlySpan<float> absmax)
    {
        if (!_quantized.TryGetValue(weight, out Bnb4BitDeclaration? declaration) || absmax.Length != Nf4Format.Blocks(declaration.Count))
        {
            throw new ArgumentException($"The weight '{weight}' was not declared with {absmax.Length} blocks.", nameof(weight));
        }

        if (declaration.NestedOffset is not float offset)
        {
            _writer.Write(Bnb4BitKeys.Absmax(weight), absmax);
            return;
        }

        var codes = new byte[absmax.Length];
        var nested = new float[Nf4Format.NestedBlocks(absmax.Length)];
        if (DoubleQuantizer.Quantize(absmax, codes, nested) != offset)
        {
            throw new InvalidOperationException($"The absolute maxima of '{weight}' have another mean than was declared; did the source change meanwhile?");
        }

        _writer.Write(Bnb4BitKeys.Absmax(weight), codes);
        _writer.Write(Bnb4BitKeys.NestedAbsmax(weight), nested);
        _writer.Write(Bnb4BitKeys.NestedQuantMap(weight), DoubleQuantizer.Map);
    }

    /// <summary>Brings the file to the disk and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">Something that was declared was not written.</exception>
    public void Complete() => _writer.Complete();

    /// <summary>Ends writing; without <see cref="Complete"/>, nothing remains.</summary>
    public void Dispose() => _writer.Dispose();

    private static void Declare(List<SafetensorsDeclaration> tensors, Bnb4BitDeclaration weight, int stateBytes)
    {
        long blocks = Nf4Format.Blocks(weight.Count);
        bool nested = weight.NestedOffset is not null;
        tensors.Add(new(weight.Name, SafetensorsType.UInt8, Nf4Format.CodeBytes(weight.Count), 1));
        tensors.Add(new(Bnb4BitKeys.Absmax(weight.Name), nested ? SafetensorsType.UInt8 : SafetensorsType.Float32, blocks));
        tensors.Add(new(Bnb4BitKeys.QuantMap(weight.Name), SafetensorsType.Float32, Nf4Format.Levels.Length));
        tensors.Add(new(Bnb4BitKeys.QuantStateNf4(weight.Name), SafetensorsType.UInt8, stateBytes));
        if (nested)
        {
            tensors.Add(new(Bnb4BitKeys.NestedAbsmax(weight.Name), SafetensorsType.Float32, Nf4Format.NestedBlocks(blocks)));
            tensors.Add(new(Bnb4BitKeys.NestedQuantMap(weight.Name), SafetensorsType.Float32, DoubleQuantizer.Map.Length));
        }
    }
}
