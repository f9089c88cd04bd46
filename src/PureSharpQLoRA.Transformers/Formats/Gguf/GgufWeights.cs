using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// The weights of a GGUF file under the names, and with the order of rows, that Hugging Face's models have. Quantised weights are decoded while
/// reading; their entries say F16, the type they are kept in where they are not quantised again.
/// </summary>
internal sealed class GgufWeights : IWeightFile
{
    private readonly GgufFile _file;
    private readonly int _headSize;
    private readonly Dictionary<string, (GgufEntry Stored, bool IsPermuted)> _stored = new(StringComparer.Ordinal);
    private readonly List<SafetensorsEntry> _entries = [];

    /// <param name="file">A whole model; disposed with this object, also where this throws.</param>
    public GgufWeights(GgufFile file)
    {
        _file = file;
        try
        {
            string arch = GgufModelConfig.Architecture(file);
            _headSize = GgufModelConfig.HeadSize(file, arch);
            foreach (GgufEntry entry in file.Entries.Values.Where(entry => entry.Name != GgufNames.RopeFactors))
            {
                Add(entry, isPermutable: arch == "llama");
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string Path => _file.Path;

    public IReadOnlyList<SafetensorsEntry> Entries => _entries;

    public void ReadFloats(SafetensorsEntry entry, long firstElement, Span<float> target)
    {
        (GgufEntry stored, bool isPermuted) = _stored[entry.Name];
        if (!isPermuted)
        {
            _file.ReadFloats(stored, firstElement, target);
            return;
        }

        long columns = stored.Shape.Count == 1 ? 1 : stored.Shape[1];
        for (int done = 0; done < target.Length;)
        {
            long row = (firstElement + done) / columns, column = (firstElement + done) % columns;
            int take = (int)Math.Min(columns - column, target.Length - done);
            _file.ReadFloats(stored, (GgufNames.StoredRow(row, _headSize) * columns) + column, target.Slice(done, take));
            done += take;
        }
    }

    public void ReadBytes(SafetensorsEntry entry, long firstByte, Span<byte> target)
    {
        (GgufEntry stored, bool isPermuted) = _stored[entry.Name];
        if (!isPermuted && IsPlain(stored.Type))
        {
            _file.ReadBytes(stored, firstByte, target);
            return;
        }

        const int PieceElements = 1 << 16;
        int width = entry.Type.ElementBytes();
        if (firstByte % width != 0 || target.Length % width != 0)
        {
            throw new ArgumentException($"The tensor '{entry.Name}' is read in whole elements of {width} bytes.", nameof(firstByte));
        }

        GgufTensorType type = entry.Type switch
        {
            SafetensorsType.Float32 => GgufTensorType.Float32,
            SafetensorsType.BFloat16 => GgufTensorType.BFloat16,
            _ => GgufTensorType.Float16,
        };
        var values = new float[Math.Min(PieceElements, target.Length / width)];
        for (int done = 0; done < target.Length;)
        {
            int count = Math.Min(values.Length, (target.Length - done) / width);
            Span<float> piece = values.AsSpan(0, count);
            ReadFloats(entry, (firstByte + done) / width, piece);
            GgufCodec.Encode(type, piece, target.Slice(done, count * width));
            done += count * width;
        }
    }

    public MappedFile? MapFor(SafetensorsEntry entry)
    {
        (GgufEntry stored, bool isPermuted) = _stored[entry.Name];
        return !isPermuted && IsPlain(stored.Type) ? _file.Map() : null;
    }

    public void Dispose() => _file.Dispose();

    private static bool IsPlain(GgufTensorType type) => type is GgufTensorType.Float32 or GgufTensorType.Float16 or GgufTensorType.BFloat16;

    private void Add(GgufEntry entry, bool isPermutable)
    {
        string name = GgufNames.ToHuggingFace(entry.Name) ?? throw new WeightFormatException(_file.Path, "this weight is not one of a supported model", entry.Name);
        if (!entry.Type.IsSupported())
        {
            throw new WeightFormatException(
                _file.Path, $"it is stored as {entry.Type.Name()}, which cannot be decoded; use a file in F32, F16, BF16, Q8_0 or Q4_0, or the original model", entry.Name);
        }

        SafetensorsType type = entry.Type switch
        {
            GgufTensorType.Float32 => SafetensorsType.Float32,
            GgufTensorType.BFloat16 => SafetensorsType.BFloat16,
            _ => SafetensorsType.Float16,
        };
        bool isPermuted = isPermutable && (name.Contains(".self_attn.q_proj", StringComparison.Ordinal) || name.Contains(".self_attn.k_proj", StringComparison.Ordinal));
        if (isPermuted && (_headSize < 2 || _headSize % 2 != 0 || entry.Shape[0] % _headSize != 0))
        {
            throw new WeightFormatException(_file.Path, $"its {entry.Shape[0]} rows are not whole heads of {_headSize}", entry.Name);
        }

        _stored.Add(name, (entry, isPermuted));
        _entries.Add(new SafetensorsEntry(name, type, [.. entry.Shape], entry.Count, entry.Offset));
    }
}
