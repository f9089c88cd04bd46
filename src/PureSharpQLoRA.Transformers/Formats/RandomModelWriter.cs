using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>How a weight begins.</summary>
public enum InitialValues
{
    /// <summary>From a normal distribution around 0: matrices.</summary>
    Normal,

    /// <summary>1: scales of norms.</summary>
    Ones,

    /// <summary>0: biases.</summary>
    Zeros,
}

/// <summary>A weight to make.</summary>
/// <param name="Name">As in weight files.</param>
/// <param name="Values">How it begins.</param>
/// <param name="Shape">The extents, outermost first.</param>
public sealed record InitialWeight(string Name, InitialValues Values, params IReadOnlyList<long> Shape);

/// <summary>How <see cref="RandomModelWriter"/> works.</summary>
public sealed record RandomModelOptions
{
    /// <summary>Each weight follows from it and from its name and index alone.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Of normal weights (initializer_range).</summary>
    public float StandardDeviation { get; init; } = 0.02f;

    /// <summary>How weights are stored: F32, F16 or BF16.</summary>
    public SafetensorsType Type { get; init; } = SafetensorsType.BFloat16;

    /// <summary>A file takes no more, unless a single weight does.</summary>
    public long MaxShardBytes { get; init; } = ShardedSafetensorsWriter.DefaultMaxShardBytes;

    /// <summary>Threads that work; 0 for one per processor.</summary>
    public int Threads { get; init; }
}

/// <summary>Writes a model of random weights, as a stream: memory does not grow with the model.</summary>
public static class RandomModelWriter
{
    private const int PieceElements = 1 << 20;

    /// <summary>Writes the weights of a model.</summary>
    /// <param name="folder">Receives the weight files; created where it is missing.</param>
    /// <param name="weights">Every weight.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Is told, after each piece, how many weights it had.</param>
    /// <param name="cancellation">Ends the work; nothing remains.</param>
    /// <exception cref="ArgumentException">The type is none of F32, F16 and BF16, or a name appears twice.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Write(
        string folder, IReadOnlyList<InitialWeight> weights, RandomModelOptions? options = null, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(weights);
        options ??= new RandomModelOptions();
        if (options.Type is not (SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16))
        {
            throw new ArgumentException($"Weights are made as F32, F16 or BF16, not as {options.Type.HeaderName()}.");
        }

        using var writer = new ShardedSafetensorsWriter(
            folder, weights.Select(weight => new SafetensorsDeclaration(weight.Name, options.Type, weight.Shape)), options.MaxShardBytes);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Threads > 0 ? options.Threads : Environment.ProcessorCount, CancellationToken = cancellation };

        // The largest first, so that no thread is left alone with one at the end.
        InitialWeight[] ordered = [.. weights.OrderByDescending(Count)];
        try
        {
            Parallel.ForEach(System.Collections.Concurrent.Partitioner.Create(ordered, loadBalance: true), parallel, () => new Piece(), (weight, _, piece) =>
            {
                WriteWeight(writer, weight, options, piece, progress, cancellation);
                return piece;
            }, static _ => { });
        }
        catch (AggregateException error) when (error.InnerExceptions.Count > 0)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error.InnerExceptions[0]);
        }

        writer.Complete();
    }

    private static void WriteWeight(
        ShardedSafetensorsWriter writer, InitialWeight weight, RandomModelOptions options, Piece piece, IProgress<long>? progress, CancellationToken cancellation)
    {
        ulong seed = Philox.Mix(options.Seed, weight.Name);
        long count = Count(weight);
        for (long first = 0; first < count; first += PieceElements)
        {
            cancellation.ThrowIfCancellationRequested();
            int length = (int)Math.Min(PieceElements, count - first);
            Span<float> values = piece.Values.AsSpan(0, length);
            switch (weight.Values)
            {
                case InitialValues.Normal:
                    NormalNumbers.Fill(seed, (ulong)first, options.StandardDeviation, values);
                    break;
                case InitialValues.Ones:
                    values.Fill(1);
                    break;
                default:
                    values.Clear();
                    break;
            }

            writer.Write(weight.Name, Store(values, piece.Halves.AsSpan(0, length), options.Type));
            progress?.Report(length);
        }
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

    private static long Count(InitialWeight weight) => weight.Shape.Aggregate(1L, (count, extent) => checked(count * extent));

    private sealed class Piece
    {
        public float[] Values { get; } = new float[PieceElements];

        public ushort[] Halves { get; } = new ushort[PieceElements];
    }
}
