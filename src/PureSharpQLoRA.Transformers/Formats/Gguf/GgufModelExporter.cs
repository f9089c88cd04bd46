using System.Numerics;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Writes a model folder, with or without an adapter merged in, as one GGUF file with its tokenizer inside. Weights are read, merged and encoded a few rows
/// at a time, so that memory does not grow with the model. The file appears only when it is complete.
/// </summary>
public sealed class GgufModelExporter
{
    private const int PieceElements = 1 << 20;

    private readonly CheckpointReader _source;
    private readonly PeftAdapterFile? _adapter;
    private readonly GgufModelInfo _model;
    private readonly GgufExportOptions _options;
    private int _otherTypes;

    private GgufModelExporter(CheckpointReader source, PeftAdapterFile? adapter, GgufModelInfo model, GgufExportOptions options)
    {
        (_source, _adapter, _model, _options) = (source, adapter, model, options);
    }

    /// <summary>Exports a model.</summary>
    /// <param name="modelFolder">The model, in 16 or 32 bits, or in bitsandbytes' NF4.</param>
    /// <param name="adapterFolder">An adapter to merge, in PEFT's format, or null.</param>
    /// <param name="model">What config.json says.</param>
    /// <param name="target">The new file.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told the name of each tensor before its turn.</param>
    /// <param name="cancellation">Ends the work; nothing remains.</param>
    /// <exception cref="WeightFormatException">A file is damaged, the adapter is for another model, GGUF has no place for a weight or the tokenizer, or weights are not finite.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static GgufExportReport Export(
        string modelFolder,
        string? adapterFolder,
        GgufModelInfo model,
        string target,
        GgufExportOptions options,
        IProgress<string>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        GgufTokenizer tokenizer = GgufTokenizer.Read(options.FilesFolder ?? modelFolder, model.VocabularySize, options.PreTokenizer);
        using CheckpointReader source = CheckpointReader.Open(modelFolder);
        using PeftAdapterFile? adapter = adapterFolder is null ? null : PeftAdapterFile.Open(adapterFolder);
        return new GgufModelExporter(source, adapter, model, options).Write(tokenizer, target, progress, cancellation);
    }

    private GgufExportReport Write(GgufTokenizer tokenizer, string target, IProgress<string>? progress, CancellationToken cancellation)
    {
        List<(MergedWeight Weight, GgufDeclaration Declaration)> tensors = Plan();
        List<GgufDeclaration> declarations = [.. tensors.Select(tensor => tensor.Declaration)];
        if (_model.RopeFactors.Count > 0)
        {
            declarations.Insert(0, new GgufDeclaration(GgufNames.RopeFactors, GgufTensorType.Float32, _model.RopeFactors.Count));
        }

        using var writer = new GgufWriter(target, Metadata(tokenizer), declarations);
        if (_model.RopeFactors.Count > 0)
        {
            float[] factors = [.. _model.RopeFactors];
            writer.Write(GgufNames.RopeFactors, MemoryMarshal.AsBytes(factors.AsSpan()));
        }

        foreach ((MergedWeight weight, GgufDeclaration declaration) in tensors)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(declaration.Name);
            WriteTensor(writer, weight, declaration);
        }

        writer.Complete();
        return new GgufExportReport(declarations.Count, writer.DataStart + declarations.Sum(tensor => tensor.Bytes), _otherTypes);
    }

    private GgufMetadata Metadata(GgufTokenizer tokenizer)
    {
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", _model.Architecture);
        metadata.Add("general.type", "model");
        metadata.Add("general.name", _model.Name);
        metadata.Add("general.file_type", FileType(_options.Type));
        if (_options.Type is GgufTensorType.Q40 or GgufTensorType.Q80)
        {
            metadata.Add("general.quantization_version", 2u);
        }

        _model.AddTo(metadata);
        tokenizer.AddTo(metadata, _options.SpecialTokens);
        if (_options.ChatTemplate is { } template)
        {
            metadata.Add("tokenizer.chat_template", template);
        }

        return metadata;
    }

    private List<(MergedWeight Weight, GgufDeclaration Declaration)> Plan()
    {
        List<(MergedWeight, GgufDeclaration)> tensors = [];
        foreach (MergedWeight weight in MergedWeights.Plan(_source, _adapter))
        {
            // Frequencies that old checkpoints keep follow from the config.
            if (weight.Name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal))
            {
                continue;
            }

            string name = GgufNames.ToGguf(weight.Name)
                ?? throw new WeightFormatException(_source.Folder, $"GGUF's {_model.Architecture} has no place for this weight", weight.Name);
            if (!weight.IsFloat || weight.Shape.Count is 0 or > 2)
            {
                throw new WeightFormatException(_source.Folder, $"it is {weight.Source.Entry}, where a vector or matrix of numbers was expected", weight.Name);
            }

            tensors.Add((weight, new GgufDeclaration(name, TypeOf(weight), weight.Shape)));
        }

        return tensors;
    }

    private GgufTensorType TypeOf(MergedWeight weight)
    {
        if (weight.Shape.Count == 1)
        {
            return GgufTensorType.Float32;
        }

        // The first and the last matrix suffer most from 4 bits.
        bool isOuter = weight.Name is "model.embed_tokens.weight" or "lm_head.weight";
        GgufTensorType type = isOuter && _options.Type == GgufTensorType.Q40 ? GgufTensorType.Q80 : _options.Type;
        if (weight.Shape[1] % type.BlockElements() != 0)
        {
            type = GgufTensorType.Float16;
        }

        _otherTypes += type == _options.Type ? 0 : 1;
        return type;
    }

    private void WriteTensor(GgufWriter writer, MergedWeight weight, GgufDeclaration declaration)
    {
        int columns = weight.Shape.Count == 1 ? 1 : (int)weight.Shape[1];
        int rows = (int)weight.Shape[0];

        // Rows are exchanged within heads, so a piece holds whole heads.
        int heads = GgufNames.PermutedHeads(weight.Name, _model), together = heads == 0 ? 1 : _model.HeadSize;
        if (heads != 0 && rows != heads * _model.HeadSize)
        {
            throw new WeightFormatException(_source.Folder, $"it has {rows} rows, where {heads} heads of {_model.HeadSize} were expected", weight.Name);
        }

        float[]? decoded = weight.Nf4 is null ? null : MergedWeights.Decode(weight.Nf4);
        ModuleUpdate? update = weight.Module is null ? null : new ModuleUpdate(_adapter!, weight.Module);
        int rowsPerPiece = Math.Max(1, PieceElements / columns / together) * together;
        var values = new float[Math.Min(rowsPerPiece, rows) * columns];
        var permuted = new float[heads == 0 ? 0 : values.Length];
        var bytes = new byte[declaration.Type.Bytes(values.Length)];
        for (int row = 0; row < rows; row += rowsPerPiece)
        {
            int count = Math.Min(rowsPerPiece, rows - row), first = row;
            Span<float> piece = values.AsSpan(0, count * columns);
            if (decoded is null)
            {
                weight.Source.ReadFloats((long)row * columns, piece);
            }
            else
            {
                decoded.AsSpan(row * columns, piece.Length).CopyTo(piece);
            }

            long rowBytes = declaration.Type.Bytes(columns);
            if (declaration.Shape.Count == 1)
            {
                Permute(values, permuted, count, columns, heads);
                Encode(declaration, heads == 0 ? values : permuted, bytes, 0, count);
            }
            else
            {
                if (update is not null)
                {
                    Parallel.For(0, count, i => update.Apply(first + i, values.AsSpan(i * columns, columns)));
                }

                Permute(values, permuted, count, columns, heads);
                float[] source = heads == 0 ? values : permuted;
                Parallel.For(0, count, i => Encode(declaration, source, bytes, i * columns, columns));
            }

            writer.Write(declaration.Name, bytes.AsSpan(0, (int)(declaration.Shape.Count == 1 ? declaration.Type.Bytes(count) : rowBytes * count)));
        }
    }

    /// <summary>Brings whole heads into GGUF's order of rows.</summary>
    private void Permute(float[] values, float[] permuted, int rows, int columns, int heads)
    {
        for (int row = 0; heads != 0 && row < rows; row++)
        {
            values.AsSpan((int)GgufNames.SourceRow(row, _model.HeadSize) * columns, columns).CopyTo(permuted.AsSpan(row * columns));
        }
    }

    private void Encode(GgufDeclaration declaration, float[] values, byte[] bytes, int first, int count)
    {
        Span<float> part = values.AsSpan(first, count);
        CheckFinite(part, declaration);
        long start = declaration.Type.Bytes(first);
        GgufCodec.Encode(declaration.Type, part, bytes.AsSpan((int)start, (int)declaration.Type.Bytes(count)));
    }

    private void CheckFinite(ReadOnlySpan<float> values, GgufDeclaration declaration)
    {
        // Scales of quantised blocks are kept in half precision, as fp16 values are.
        float most = declaration.Type switch
        {
            GgufTensorType.Float16 => (float)Half.MaxValue,
            GgufTensorType.Q80 => (float)Half.MaxValue * 127,
            GgufTensorType.Q40 => (float)Half.MaxValue * 8,
            _ => float.MaxValue,
        };
        Vector<float> bound = new(most);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            if (!Vector.LessThanOrEqualAll(Vector.Abs(new Vector<float>(values[i..])), bound))
            {
                throw Refuse(declaration);
            }
        }

        for (; i < values.Length; i++)
        {
            if (!(Math.Abs(values[i]) <= most))
            {
                throw Refuse(declaration);
            }
        }
    }

    private WeightFormatException Refuse(GgufDeclaration declaration) =>
        new(_source.Folder, $"it has values that are not finite, or too large for {declaration.Type.Name()}; try --outtype bf16", declaration.Name);

    private static uint FileType(GgufTensorType type) => type switch
    {
        GgufTensorType.Float32 => 0,
        GgufTensorType.Float16 => 1,
        GgufTensorType.Q40 => 2,
        GgufTensorType.Q80 => 7,
        _ => 32,
    };
}
