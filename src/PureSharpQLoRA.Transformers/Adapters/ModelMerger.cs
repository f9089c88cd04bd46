using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>How <see cref="ModelMerger"/> works.</summary>
public sealed record MergeOptions
{
    /// <summary>How weights are stored: F32, F16 or BF16; null for each as it was.</summary>
    public SafetensorsType? Type { get; init; }

    /// <summary>Where config.json, tokenizer and other small files are; null for the model folder itself.</summary>
    public string? FilesFolder { get; init; }

    /// <summary>A file takes no more, unless a single weight does.</summary>
    public long MaxShardBytes { get; init; } = ShardedSafetensorsWriter.DefaultMaxShardBytes;
}

/// <summary>What a merge did.</summary>
/// <param name="Layers">Linear layers that changed.</param>
/// <param name="Weights">Weights in them.</param>
/// <param name="MaxChange">The largest change of a weight.</param>
/// <param name="MeanChange">The mean absolute change of their weights.</param>
/// <param name="Shards">Weight files written.</param>
public sealed record MergeReport(int Layers, long Weights, double MaxChange, double MeanChange, int Shards);

/// <summary>
/// Writes a model with an adapter added to its weights, W' = W + s·B·A in fp32, or for DoRA m ∘ (W + s·B·A) / ‖W + s·B·A‖ with the norm of each row.
/// It works tensor by tensor; weights that are stored in NF4 are decoded. The new folder appears only when it is complete.
/// </summary>
public sealed class ModelMerger
{
    private const int PieceElements = 1 << 22;

    private readonly CheckpointReader _source;
    private readonly PeftAdapterFile _adapter;
    private readonly MergeOptions _options;
    private double _maxChange;
    private double _sumOfChanges;
    private long _changed;

    private ModelMerger(CheckpointReader source, PeftAdapterFile adapter, MergeOptions options)
    {
        (_source, _adapter, _options) = (source, adapter, options);
    }

    /// <summary>Merges an adapter into a model.</summary>
    /// <param name="modelFolder">The base, in 16 or 32 bits, or in bitsandbytes' NF4.</param>
    /// <param name="adapterFolder">The adapter, in PEFT's format.</param>
    /// <param name="targetFolder">The new folder; nothing but an empty folder may be there.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Is told the name of each tensor before its turn.</param>
    /// <param name="cancellation">Ends the work; nothing remains.</param>
    /// <exception cref="WeightFormatException">A file is damaged, or the adapter is for another model.</exception>
    /// <exception cref="IOException">The target is in use, or the disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static MergeReport Merge(
        string modelFolder, string adapterFolder, string targetFolder, MergeOptions? options = null, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        options ??= new MergeOptions();
        if (options.Type is not (null or SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16))
        {
            throw new ArgumentException($"Merged weights are stored as F32, F16 or BF16, not as {options.Type.Value.HeaderName()}.");
        }

        using CheckpointReader source = CheckpointReader.Open(modelFolder);
        using PeftAdapterFile adapter = PeftAdapterFile.Open(adapterFolder);
        using AtomicFolder target = AtomicFolder.Create(targetFolder);
        var merger = new ModelMerger(source, adapter, options);
        List<MergedTensor> tensors = merger.Plan();
        int shards = merger.Write(target.TemporaryPath, tensors, progress, cancellation);
        WriteConfig(options.FilesFolder ?? modelFolder, target.TemporaryPath, tensors);
        CompanionFiles.Copy(options.FilesFolder ?? modelFolder, target.TemporaryPath);
        target.Commit();
        return new MergeReport(adapter.Modules.Count, merger._changed, merger._maxChange, merger._sumOfChanges / Math.Max(1, merger._changed), shards);
    }

    private List<MergedTensor> Plan() =>
        [.. MergedWeights.Plan(_source, _adapter).Select(weight => new MergedTensor(
            weight.Source, weight.Nf4, weight.Module, new SafetensorsDeclaration(weight.Name, weight.IsFloat ? _options.Type ?? weight.Type : weight.Type, weight.Shape)))];

    private int Write(string folder, List<MergedTensor> tensors, IProgress<string>? progress, CancellationToken cancellation)
    {
        using var writer = new ShardedSafetensorsWriter(folder, tensors.Select(tensor => tensor.Declaration), _options.MaxShardBytes);
        foreach (MergedTensor tensor in tensors)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(tensor.Declaration.Name);
            if (tensor.Module is null && tensor.Nf4 is null && tensor.Declaration.Type == tensor.Source.Entry.Type)
            {
                Copy(writer, tensor);
            }
            else
            {
                Convert(writer, tensor);
            }
        }

        writer.Complete();
        return writer.Shards;
    }

    private static void Copy(ShardedSafetensorsWriter writer, MergedTensor tensor)
    {
        var bytes = new byte[(int)Math.Min(PieceElements, tensor.Source.Entry.Bytes)];
        for (long first = 0; first < tensor.Source.Entry.Bytes; first += bytes.Length)
        {
            Span<byte> piece = bytes.AsSpan(0, (int)Math.Min(bytes.Length, tensor.Source.Entry.Bytes - first));
            tensor.Source.ReadBytes(first, piece);
            writer.Write(tensor.Declaration.Name, piece);
        }
    }

    /// <summary>Reads whole rows at a time, adds the adapter's share, and stores them.</summary>
    private void Convert(ShardedSafetensorsWriter writer, MergedTensor tensor)
    {
        IReadOnlyList<long> shape = tensor.Declaration.Shape;
        int columns = shape.Count == 0 ? 1 : (int)shape[^1];
        long rows = shape.Aggregate(1L, (count, extent) => count * extent) / Math.Max(1, columns);
        float[]? decoded = tensor.Nf4 is null ? null : MergedWeights.Decode(tensor.Nf4);
        ModuleUpdate? module = tensor.Module is null ? null : new ModuleUpdate(_adapter, tensor.Module);
        int rowsPerPiece = Math.Max(1, PieceElements / Math.Max(1, columns));
        var values = new float[Math.Min(rowsPerPiece, rows) * columns];
        var halves = new ushort[values.Length];
        for (long row = 0; row < rows; row += rowsPerPiece)
        {
            int count = (int)Math.Min(rowsPerPiece, rows - row) * columns;
            Span<float> piece = values.AsSpan(0, count);
            if (decoded is null)
            {
                tensor.Source.ReadFloats(row * columns, piece);
            }
            else
            {
                decoded.AsSpan((int)(row * columns), count).CopyTo(piece);
            }

            if (module is not null)
            {
                AddAdapter(module, (int)row, values, count / columns, columns);
            }

            writer.Write(tensor.Declaration.Name, Store(piece, halves.AsSpan(0, count), tensor.Declaration.Type));
        }
    }

    private void AddAdapter(ModuleUpdate module, int firstRow, float[] values, int rows, int columns)
    {
        var changes = new (double Max, double Sum)[rows];
        Parallel.For(0, rows, () => new float[columns], (i, _, merged) =>
        {
            Span<float> row = values.AsSpan(i * columns, columns);
            row.CopyTo(merged);
            module.Apply(firstRow + i, merged);
            (double max, double sum) = (0, 0);
            for (int j = 0; j < columns; j++)
            {
                double change = Math.Abs((double)merged[j] - row[j]);
                max = Math.Max(max, change);
                sum += change;
            }

            changes[i] = (max, sum);
            merged.CopyTo(row);
            return merged;
        }, static _ => { });
        foreach ((double max, double sum) in changes)
        {
            _maxChange = Math.Max(_maxChange, max);
            _sumOfChanges += sum;
        }

        _changed += (long)rows * columns;
    }

    private static Span<byte> Store(Span<float> values, Span<ushort> halves, SafetensorsType type)
    {
        switch (type)
        {
            case SafetensorsType.BFloat16:
                HalfPrecisionConvert.ToBFloat16(values, halves);
                return MemoryMarshal.AsBytes(halves);
            case SafetensorsType.Float16:
                HalfPrecisionConvert.ToFloat16(values, halves);
                return MemoryMarshal.AsBytes(halves);
            default:
                return MemoryMarshal.AsBytes(values);
        }
    }

    /// <summary>The config of the new model: no longer quantised, and of the type that its weights have.</summary>
    private static void WriteConfig(string source, string target, List<MergedTensor> tensors)
    {
        string path = Path.Combine(source, "config.json");
        if (!File.Exists(path))
        {
            throw new WeightFormatException(source, "the folder has no config.json");
        }

        JsonObject config;
        try
        {
            config = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new WeightFormatException(path, "it must be a JSON object");
        }
        catch (JsonException error)
        {
            throw new WeightFormatException(path, $"it is not valid JSON: {error.Message}", inner: error);
        }

        config.Remove("quantization_config");
        SafetensorsType type = tensors.MaxBy(tensor => tensor.Declaration.Bytes)!.Declaration.Type;
        string name = type switch
        {
            SafetensorsType.BFloat16 => "bfloat16",
            SafetensorsType.Float16 => "float16",
            _ => "float32",
        };
        config[config.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = name;
        AtomicFile.WriteText(Path.Combine(target, "config.json"), config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    private sealed record MergedTensor(CheckpointTensor Source, Nf4Entry? Nf4, PeftModule? Module, SafetensorsDeclaration Declaration);
}
