namespace PureSharpQLoRA.Text;

/// <summary>An optimizer step's share of the data.</summary>
/// <param name="FirstMicroBatch">The index of its first micro-batch, counted over all epochs.</param>
/// <param name="MicroBatches">How many micro-batches it has; fewer than usual at the end of an epoch.</param>
/// <param name="TargetCount">How many tokens are learnt in them together.</param>
public readonly record struct StepPlan(long FirstMicroBatch, int MicroBatches, long TargetCount);

/// <summary>
/// Says which examples each micro-batch of a training run has. Everything follows from the options and the index, so a run
/// that resumes at any micro-batch sees the same data as one that never stopped.
/// </summary>
/// <remarks>
/// As in Hugging Face's Trainer, an epoch's last micro-batch may be smaller and its last step may have fewer micro-batches: neither reaches over
/// the end of an epoch, and nothing is left out. Not thread-safe.
/// </remarks>
public sealed class BatchPlanner
{
    private readonly IReadOnlyList<Example> _examples;
    private readonly BatchOptions _options;
    private readonly DataOrder _order;
    private readonly int[][]? _packed;
    private readonly int[] _targets;

    /// <summary>Plans a run over a data set.</summary>
    /// <exception cref="ArgumentException">The data set is empty, a size is not positive, or an example is longer than a packed row.</exception>
    public BatchPlanner(Dataset dataset, BatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PerDeviceBatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.GradientAccumulationSteps, 1);
        if (dataset.Examples.Count == 0)
        {
            throw new ArgumentException("The data set has no examples.", nameof(dataset));
        }

        (_examples, _options) = (dataset.Examples, options);
        _packed = options.PackedLength is { } length ? Packer.Pack(_examples, length) : null;
        Rows = _packed?.Length ?? _examples.Count;
        _order = new DataOrder(Rows, options.Seed, options.Shuffle);
        _targets = new int[_examples.Count];
        for (int i = 0; i < _targets.Length; i++)
        {
            _targets[i] = _examples[i].CountTargets();
        }

        MicroBatchesPerEpoch = (Rows + options.PerDeviceBatchSize - 1) / options.PerDeviceBatchSize;
        StepsPerEpoch = (MicroBatchesPerEpoch + options.GradientAccumulationSteps - 1) / options.GradientAccumulationSteps;
    }

    /// <summary>Rows of an epoch: examples, or packed rows of them.</summary>
    public int Rows { get; }

    /// <summary>Micro-batches of an epoch.</summary>
    public int MicroBatchesPerEpoch { get; }

    /// <summary>Optimizer steps of an epoch.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>How much of the packed rows is filled, from 0 to 1; 1 without packing.</summary>
    public double FillRate => _options.PackedLength is { } length ? _examples.Sum(static example => (long)example.Ids.Length) / ((double)Rows * length) : 1;

    /// <summary>The epoch of a micro-batch.</summary>
    /// <param name="microBatch">The index of the micro-batch, counted over all epochs.</param>
    public int EpochOf(long microBatch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(microBatch);
        return (int)(microBatch / MicroBatchesPerEpoch);
    }

    /// <summary>What an optimizer step consists of.</summary>
    /// <param name="step">The step, from 0, counted over all epochs.</param>
    public StepPlan Step(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        (long epoch, long stepOfEpoch) = Math.DivRem(step, StepsPerEpoch);
        int first = (int)stepOfEpoch * _options.GradientAccumulationSteps;
        int count = Math.Min(_options.GradientAccumulationSteps, MicroBatchesPerEpoch - first);
        long firstMicroBatch = (epoch * MicroBatchesPerEpoch) + first, targets = 0;
        for (int i = 0; i < count; i++)
        {
            foreach (int row in RowsOf(firstMicroBatch + i))
            {
                foreach (int example in ExamplesOf(in row))
                {
                    targets += _targets[example];
                }
            }
        }

        return new StepPlan(firstMicroBatch, count, targets);
    }

    /// <summary>Fills a batch with a micro-batch's documents.</summary>
    /// <param name="microBatch">The index of the micro-batch, counted over all epochs.</param>
    /// <param name="batch">The batch; what it held is replaced.</param>
    public void Fill(long microBatch, Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Clear();
        foreach (int row in RowsOf(microBatch))
        {
            foreach (int example in ExamplesOf(in row))
            {
                batch.Add(_examples[example]);
            }
        }
    }

    /// <summary>The rows of a micro-batch.</summary>
    private ReadOnlySpan<int> RowsOf(long microBatch)
    {
        int first = (int)(microBatch % MicroBatchesPerEpoch) * _options.PerDeviceBatchSize;
        return _order.Epoch(EpochOf(microBatch)).Slice(first, Math.Min(_options.PerDeviceBatchSize, Rows - first));
    }

    /// <summary>The examples of a row; without packing, the row itself is the one.</summary>
    private ReadOnlySpan<int> ExamplesOf(ref readonly int row) => _packed is null ? new ReadOnlySpan<int>(in row) : _packed[row];
}
