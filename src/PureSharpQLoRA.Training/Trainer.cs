using System.Diagnostics;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training;

/// <summary>
/// Trains a model's trainable parameters: the adapter in use, or all weights. The same seed, data, machine kind and thread count give the same bits,
/// also when the run is interrupted and resumed from a checkpoint.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly IBackend _backend;
    private readonly TrainingOptions _options;
    private readonly BatchPlanner _planner;
    private readonly Dataset _data;
    private readonly IReadOnlyList<Example>? _heldOut;
    private readonly IReadOnlyList<ITrainingObserver> _observers;
    private readonly AdamWOptimizer _optimizer;
    private readonly LearningRateSchedule _schedule;
    private readonly Tape _tape;
    private readonly ModelStep _step;
    private readonly Batch _batch = new();
    private readonly CheckpointStore _checkpoints;
    private TrainerState _state = new();

    /// <summary>Prepares a run.</summary>
    /// <param name="model">With an adapter in use, or loaded with all weights trainable.</param>
    /// <param name="data">What to learn from.</param>
    /// <param name="options">How.</param>
    /// <param name="packedLength">Tokens of a packed row, or null to leave examples as they are (packing, max_length).</param>
    /// <param name="heldOut">Examples for evaluation, or null.</param>
    /// <param name="observers">Are told how it goes.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    /// <exception cref="TrainingException">Nothing in the model is trainable, or no token of the data is a target.</exception>
    public Trainer(
        CausalLanguageModel model, Dataset data, TrainingOptions options, int? packedLength = null, IReadOnlyList<Example>? heldOut = null,
        params IReadOnlyList<ITrainingObserver> observers)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (model.TrainableParameters.Count == 0)
        {
            throw new TrainingException("Nothing in the model is trainable: add an adapter (model.Adapters.Add), or load it with TrainAllWeights.");
        }

        if (!data.Examples.Any(static example => example.CountTargets() > 0))
        {
            throw new TrainingException("There is nothing to learn in the data set: all labels are -100, or it is empty. Check what is masked, and max_length.");
        }

        if (options.ActivationOffloading && !model.Backend.SharesHostMemory && model.Backend.HostMemory is null)
        {
            throw new TrainingException($"{model.Backend.Name} cannot keep activations in the host's memory; set activation_offloading to false.");
        }

        (_model, _backend, _data, _options, _heldOut, _observers) = (model, model.Backend, data, options, heldOut, observers);
        _planner = new BatchPlanner(data, new BatchOptions
        {
            PerDeviceBatchSize = options.BatchSize,
            GradientAccumulationSteps = options.GradientAccumulationSteps,
            Shuffle = options.Shuffle,
            Seed = options.Seed,
            PackedLength = packedLength,
        });
        TotalSteps = options.MaxSteps > 0 ? options.MaxSteps : (int)Math.Ceiling(options.Epochs * _planner.StepsPerEpoch);
        int warmup = options.WarmupSteps > 0 ? options.WarmupSteps : (int)Math.Ceiling(options.WarmupRatio * TotalSteps);
        _schedule = new LearningRateSchedule(options.Scheduler, options.LearningRate, warmup, TotalSteps);
        _tape = new Tape(_backend)
        {
            IsRecording = true,
            IsTraining = true,
            Recompute = options.GradientCheckpointing ? RecomputePolicy.Blocks : RecomputePolicy.Cheap,
            OffloadsBlockInputs = options.ActivationOffloading,
        };
        _step = new ModelStep(model, _tape);
        _state.LossScaler = NewLossScaler();
        _optimizer = new AdamWOptimizer(_backend, model.TrainableParameters, options);
        _checkpoints = new CheckpointStore(options.OutputDirectory, model, _optimizer, DataFingerprint.Of(data), options, packedLength);
        model.Embedding.NoiseAlpha = options.NeftuneNoiseAlpha;
    }

    /// <summary>Optimizer steps of the whole run.</summary>
    public int TotalSteps { get; }

    /// <summary>Steps done so far.</summary>
    public int StepsDone => _state.Step;

    /// <summary>The tape, to set what is recomputed or to evaluate between steps.</summary>
    public Tape Tape => _tape;

    /// <summary>The newest complete checkpoint of an output directory, or null.</summary>
    public static string? NewestCheckpoint(string outputDirectory) => CheckpointStore.NewestIn(outputDirectory);

    /// <summary>Gradients of fp16 activations need scaling; bf16 has the range of fp32.</summary>
    private LossScaler? NewLossScaler() => _backend.ActivationType == DataType.Float16 ? new LossScaler() : null;

    private bool HasStoppedImproving =>
        _options.EarlyStoppingPatience > 0 && _state.EvaluationsWithoutImprovement >= _options.EarlyStoppingPatience;

    /// <summary>Continues from a checkpoint, bit for bit as if the run had never stopped.</summary>
    /// <param name="folder">A checkpoint-N folder.</param>
    /// <exception cref="TrainingException">The checkpoint's state is missing or damaged, or of another data set or shape of run.</exception>
    /// <exception cref="WeightFormatException">Its weights or moments are missing or damaged, or of another model.</exception>
    public void Resume(string folder)
    {
        _state = _checkpoints.Load(folder);

        // A checkpoint may come from a device whose activations have another type.
        _state.LossScaler = NewLossScaler() is { } scaler ? _state.LossScaler ?? scaler : null;
    }

    /// <summary>Trains to the end, or until <paramref name="cancellation"/> asks to stop: then the step is finished and a checkpoint written.</summary>
    /// <exception cref="TrainingException">A gradient is not finite.</exception>
    public TrainingResult Run(CancellationToken cancellation = default)
    {
        long trainable = 0;
        foreach (ParameterState state in _optimizer.States)
        {
            trainable += state.Parameter.Value.Shape.Count;
        }

        var plan = new TrainingPlan(_state.Step, TotalSteps, _planner.StepsPerEpoch, _data.Examples.Count, trainable);
        Notify(observer => observer.OnStarted(plan));
        EvaluateIfDue(cancellation);
        TrainingEnd end = HasStoppedImproving ? TrainingEnd.StoppedEarly : TrainingEnd.Completed;
        while (_state.Step < TotalSteps && end == TrainingEnd.Completed)
        {
            StepProgress progress = TrainStep();
            foreach (ITrainingObserver observer in _observers)
            {
                observer.OnStep(progress);
            }

            Log(progress);
            bool last = _state.Step == TotalSteps;
            EvaluateIfDue(cancellation);
            if (HasStoppedImproving)
            {
                end = TrainingEnd.StoppedEarly;
            }
            else if (!last && cancellation.IsCancellationRequested)
            {
                end = TrainingEnd.Interrupted;
            }

            if (end == TrainingEnd.Interrupted || (_options.SaveSteps > 0 && _state.Step % _options.SaveSteps == 0))
            {
                Save();
            }
        }

        string folder = end == TrainingEnd.Interrupted ? _checkpoints.Folder(_state.Step) : _options.OutputDirectory;
        return new TrainingResult(end, _state.Step, _state.LastLoss, _state.LastEvaluation, folder);
    }

    /// <summary>One optimizer step: all micro-batches forwards and backwards, clipping, update. With fp16 activations it is repeated while it overflows.</summary>
    /// <exception cref="TrainingException">A gradient is not finite.</exception>
    public StepProgress TrainStep()
    {
        long start = Stopwatch.GetTimestamp();
        StepPlan plan = _planner.Step(_state.Step);
        double rate = _schedule.Rate(_state.Step);
        OptimizerOutcome outcome;
        double loss;
        long tokens;
        do
        {
            // All of the step is issued before anything is read: a device is never waited for in the middle of it.
            float lossScale = (float)(_state.LossScaler?.Scale ?? 1);
            tokens = AddGradients(plan, lossScale);
            _optimizer.Issue(rate, _options.MaxGradientNorm, lossScale);
            outcome = _optimizer.Complete();
            loss = _step.ReadLoss() / Math.Max(1, plan.TargetCount);
        }
        while (MustRepeat(outcome, loss));

        _state.LossScaler?.CountGood();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _state.Count(loss, tokens, seconds);
        double epoch = (double)_state.Step / _planner.StepsPerEpoch;
        return new StepProgress(_state.Step, TotalSteps, epoch, loss, rate, outcome.GradientNorm, tokens, _state.TokensSeen, seconds);
    }

    /// <summary>Writes the trained adapter, or model, into the output directory.</summary>
    public void SaveResult() => _checkpoints.SaveWeights(_options.OutputDirectory);

    /// <inheritdoc/>
    public void Dispose()
    {
        _model.Embedding.NoiseAlpha = 0;
        _step.Dispose();
        _tape.Dispose();
        _optimizer.Dispose();
    }

    /// <summary>All micro-batches of a step, forwards and backwards.</summary>
    /// <returns>The tokens computed.</returns>
    private long AddGradients(in StepPlan plan, float lossScale)
    {
        float gradientScale = lossScale / Math.Max(1, plan.TargetCount);
        long tokens = 0;
        _optimizer.ClearGradients();
        _step.ClearLoss();
        for (int i = 0; i < plan.MicroBatches; i++)
        {
            long microBatch = plan.FirstMicroBatch + i;
            _planner.Fill(microBatch, _batch);
            _tape.RandomSeed = Philox.Mix(_options.Seed, (ulong)microBatch);
            _step.AddLoss(_batch, gradientScale);
            _tape.Backward();
            _tape.Reset();
            tokens += _batch.Tokens;
        }

        return tokens;
    }

    /// <summary>Whether a step overflowed and less loss scale may help; the loss itself does not depend on the scale.</summary>
    /// <exception cref="TrainingException">Something is not finite and no scale would help.</exception>
    private bool MustRepeat(in OptimizerOutcome outcome, double loss)
    {
        if (outcome.NonFiniteParameter is null && double.IsFinite(loss))
        {
            return false;
        }

        if (_state.LossScaler is not { } scaler || outcome.NonFiniteParameter is not { } parameter || !double.IsFinite(loss))
        {
            throw Diverged(outcome, loss);
        }

        double before = scaler.Scale;
        scaler.CountOverflow();
        if (scaler.IsExhausted)
        {
            throw Diverged(outcome, loss);
        }

        var skipped = new SkippedStep(_state.Step + 1, parameter, before, scaler.Scale);
        foreach (ITrainingObserver observer in _observers)
        {
            observer.OnSkipped(skipped);
        }

        return true;
    }

    private TrainingException Diverged(in OptimizerOutcome outcome, double loss)
    {
        string scale = _state.LossScaler is { IsExhausted: true } ? ", even without loss scaling" : "";
        string where = outcome.NonFiniteParameter is { } name && (double.IsFinite(loss) || _state.LossScaler is null)
            ? $"the gradient of {name} is not finite{scale}"
            : FormattableString.Invariant($"the loss is {loss}");
        string checkpoint = _checkpoints.Newest() is { } folder ? $"; the last checkpoint, {folder}, is intact" : "";
        return new TrainingException($"Step {_state.Step + 1}: {where}. A lower learning_rate, or a max_grad_norm, usually helps{checkpoint}.");
    }

    private void Log(in StepProgress progress)
    {
        if (_state.Step % _options.LoggingSteps != 0 && _state.Step != TotalSteps)
        {
            return;
        }

        LoggedMetrics metrics = _state.TakeWindow(progress, ProcessMemory.PeakBytes(_backend));
        foreach (ITrainingObserver observer in _observers)
        {
            observer.OnLogged(metrics);
        }
    }

    /// <summary>Evaluates after the steps that eval_steps names; one that an interruption left out is made up for when the run resumes.</summary>
    private void EvaluateIfDue(CancellationToken cancellation)
    {
        bool due = _options.EvalSteps > 0 && (_state.Step % _options.EvalSteps == 0 || _state.Step == TotalSteps);
        if (_heldOut is null || !due || _state.LastEvaluationStep == _state.Step || cancellation.IsCancellationRequested)
        {
            return;
        }

        EvaluationResult result = Evaluator.Evaluate(_model, _tape, _heldOut, _options.BatchSize, CancellationToken.None);
        double epoch = (double)_state.Step / _planner.StepsPerEpoch;
        foreach (ITrainingObserver observer in _observers)
        {
            observer.OnEvaluated(_state.Step, epoch, result);
        }

        _state.CountEvaluation(result);
    }

    private void Save()
    {
        string folder = _checkpoints.Save(_state);
        Notify(observer => observer.OnCheckpoint(_state.Step, folder));
    }

    private void Notify(Action<ITrainingObserver> tell)
    {
        foreach (ITrainingObserver observer in _observers)
        {
            tell(observer);
        }
    }
}
