using System.Text.RegularExpressions;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Turns a model folder into a 4-bit one in bitsandbytes' format, as a stream: memory does not grow with the model. The tokenizer and other
/// small files are copied, and config.json says how the weights are stored. The new folder appears only when it is complete.
/// </summary>
public sealed partial class ModelQuantizer
{
    private readonly CheckpointReader _source;
    private readonly ModelQuantizerOptions _options;
    private readonly IProgress<QuantizationProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly List<CheckpointTensor> _plain = [];
    private readonly List<CheckpointTensor> _weights = [];
    private readonly float[] _values;
    private readonly byte[] _codes;
    private long _bytesDone;
    private long _bytesTotal;

    private ModelQuantizer(CheckpointReader source, ModelQuantizerOptions options, IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        (_source, _options, _progress, _cancellation) = (source, options, progress, cancellation);
        int elements = Math.Max(1, options.ChunkElements / Nf4Format.BlockSize) * Nf4Format.BlockSize;
        _values = new float[elements];
        _codes = new byte[Nf4Format.CodeBytes(elements)];
    }

    /// <summary>Quantises a model.</summary>
    /// <param name="sourceFolder">A model in 16 or 32 bits.</param>
    /// <param name="targetFolder">The new folder; nothing but an empty folder may be there.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told after every piece.</param>
    /// <param name="cancellation">Ends the work; nothing remains.</param>
    /// <exception cref="WeightFormatException">The source is damaged, quantised already, or has weights that are not finite.</exception>
    /// <exception cref="IOException">The target is in use, or the disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Quantize(
        string sourceFolder,
        string targetFolder,
        ModelQuantizerOptions? options = null,
        IProgress<QuantizationProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(sourceFolder);
        ArgumentException.ThrowIfNullOrEmpty(targetFolder);
        using CheckpointReader source = CheckpointReader.Open(sourceFolder);
        var quantizer = new ModelQuantizer(source, options ?? new ModelQuantizerOptions(), progress, cancellation);
        quantizer.ChooseWeights();
        string config = QuantizedConfig.Create(Path.Combine(quantizer._options.FilesFolder ?? sourceFolder, "config.json"), OriginalType(quantizer._weights[0]), quantizer._options.UseDoubleQuant);
        using AtomicFolder target = AtomicFolder.Create(targetFolder);
        quantizer.WriteWeights(Path.Combine(target.TemporaryPath, CheckpointReader.SingleFileName));
        AtomicFile.WriteText(Path.Combine(target.TemporaryPath, "config.json"), config);
        CompanionFiles.Copy(quantizer._options.FilesFolder ?? sourceFolder, target.TemporaryPath);
        target.Commit();
    }

    [GeneratedRegex(@"(^|\.)(layers|h|blocks)\.\d+\..*\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex BlockWeight();

    private void ChooseWeights()
    {
        Func<string, bool> selects = _options.Selects ?? BlockWeight().IsMatch;
        foreach (CheckpointTensor tensor in _source.Tensors.Values.OrderBy(tensor => tensor.Entry.Name, StringComparer.Ordinal))
        {
            string name = tensor.Entry.Name;
            if (name.Contains(".quant_state.bitsandbytes__", StringComparison.Ordinal))
            {
                throw new WeightFormatException(tensor.File.Path, "the model is quantised already; start from the original one", name);
            }

            bool isFloat = tensor.Entry.Type is SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16;
            bool quantize = isFloat && tensor.Entry.Shape.Count == 2 && tensor.Entry.Count > 0 && selects(name);
            (quantize ? _weights : _plain).Add(tensor);
            _bytesTotal += tensor.Entry.Bytes * (quantize && _options.UseDoubleQuant ? 2 : 1);
        }

        if (_weights.Count == 0)
        {
            throw new WeightFormatException(_source.Folder, "the model has no linear weights of blocks (such as 'model.layers.0.mlp.up_proj.weight') to quantise");
        }
    }

    private static DataType OriginalType(CheckpointTensor tensor) => tensor.Entry.Type switch
    {
        SafetensorsType.Float32 => DataType.Float32,
        SafetensorsType.Float16 => DataType.Float16,
        _ => DataType.BFloat16,
    };

    private void WriteWeights(string path)
    {
        // The offset is part of a text whose length the header must know: with double quantisation the weights are read once before.
        List<Bnb4BitDeclaration> declarations = [];
        foreach (CheckpointTensor weight in _weights)
        {
            float? offset = null;
            if (_options.UseDoubleQuant)
            {
                var absmax = new float[Nf4Format.Blocks(weight.Entry.Count)];
                WorkThrough(weight, absmax, writer: null);
                offset = DoubleQuantizer.Offset(absmax);
            }

            declarations.Add(new(weight.Entry.Name, weight.Entry.Shape[0], weight.Entry.Shape[1], OriginalType(weight), offset));
        }

        using var writer = new Bnb4BitWriter(path, _plain.Select(tensor => new SafetensorsDeclaration(tensor.Entry.Name, tensor.Entry.Type, tensor.Entry.Shape)), declarations);
        foreach (CheckpointTensor weight in _weights)
        {
            var absmax = new float[Nf4Format.Blocks(weight.Entry.Count)];
            WorkThrough(weight, absmax, writer);
            writer.WriteAbsmax(weight.Entry.Name, absmax);
        }

        foreach (CheckpointTensor tensor in _plain)
        {
            Copy(tensor, writer);
        }

        writer.Complete();
    }

    private void Copy(CheckpointTensor tensor, Bnb4BitWriter writer)
    {
        for (long done = 0; done < tensor.Entry.Bytes;)
        {
            Span<byte> piece = _codes.AsSpan(0, (int)Math.Min(_codes.Length, tensor.Entry.Bytes - done));
            tensor.ReadBytes(done, piece);
            writer.Write(tensor.Entry.Name, piece);
            done += piece.Length;
            Report(tensor, piece.Length);
        }
    }

    /// <summary>Quantises a weight piece by piece, or finds its absolute maxima only.</summary>
    private void WorkThrough(CheckpointTensor weight, float[] absmax, Bnb4BitWriter? writer)
    {
        for (long done = 0; done < weight.Entry.Count;)
        {
            int count = (int)Math.Min(_values.Length, weight.Entry.Count - done);
            Memory<float> maxima = absmax.AsMemory((int)(done / Nf4Format.BlockSize), (int)Nf4Format.Blocks(count));
            QuantizePiece(weight, done, count, maxima, codesWanted: writer is not null);
            writer?.WriteCodes(weight.Entry.Name, _codes.AsSpan(0, (int)Nf4Format.CodeBytes(count)));
            done += count;
            Report(weight, (long)count * weight.Entry.Type.ElementBytes());
        }
    }

    private void QuantizePiece(CheckpointTensor weight, long first, int count, Memory<float> absmax, bool codesWanted)
    {
        // Less than this is not worth another thread.
        const int MinBlocks = 4096;
        int parts = Math.Clamp(absmax.Length / MinBlocks, 1, Math.Max(1, _options.Threads));
        int blocksPerPart = (absmax.Length + parts - 1) / parts;
        if (parts == 1)
        {
            QuantizePart(0);
            return;
        }

        try
        {
            Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = parts }, QuantizePart);
        }
        catch (AggregateException error)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error.InnerExceptions[0]);
        }

        void QuantizePart(int part)
        {
            int firstBlock = part * blocksPerPart;
            int begin = firstBlock * Nf4Format.BlockSize;
            int end = Math.Min(count, (firstBlock + blocksPerPart) * Nf4Format.BlockSize);
            if (begin >= end)
            {
                return;
            }

            Span<float> values = _values.AsSpan(begin, end - begin);
            Span<float> maxima = absmax.Span.Slice(firstBlock, (int)Nf4Format.Blocks(values.Length));
            weight.ReadFloats(first + begin, values);
            if (codesWanted)
            {
                Nf4Quantizer.Quantize(values, _codes.AsSpan(begin / 2, (int)Nf4Format.CodeBytes(values.Length)), maxima);
            }
            else
            {
                Nf4Quantizer.AbsoluteMaxima(values, maxima);
            }

            CheckFinite(weight, first + begin, values, maxima);
        }
    }

    private static void CheckFinite(CheckpointTensor weight, long first, ReadOnlySpan<float> values, ReadOnlySpan<float> maxima)
    {
        foreach (float maximum in maxima)
        {
            if (!float.IsFinite(maximum))
            {
                int at = 0;
                while (float.IsFinite(values[at]))
                {
                    at++;
                }

                long element = first + at;
                throw new WeightFormatException(
                    weight.File.Path,
                    $"element [{element / weight.Entry.Shape[1]}, {element % weight.Entry.Shape[1]}] is {values[at].ToString(System.Globalization.CultureInfo.InvariantCulture)}; such a model cannot be quantised",
                    weight.Entry.Name,
                    weight.Entry.Offset + (element * weight.Entry.Type.ElementBytes()));
            }
        }
    }

    private void Report(CheckpointTensor tensor, long bytes)
    {
        _bytesDone += bytes;
        _progress?.Report(new QuantizationProgress(tensor.Entry.Name, _bytesDone, _bytesTotal));
        _cancellation.ThrowIfCancellationRequested();
    }
}
