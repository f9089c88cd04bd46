using System.Globalization;
using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Reporting;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Generators.Planning;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;
using PureSharpQLoRA.Transformers.Generation;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>A training run from its options to its results folder.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const int SampleTokens = 80;
    private const string AdapterName = "default";

    // They belong to one start of the program, not to the run.
    private static readonly HashSet<string> NotKept = [TrainOptions.Resume, TrainOptions.Overwrite, CommonOptions.Config, CommonOptions.Json, CommonOptions.Verbose];

    private readonly CommandContext _context;
    private readonly RunFolder _folder;
    private readonly Dictionary<string, string> _resolved = new(StringComparer.Ordinal);
    private readonly List<Sample> _samples = [];
    private ModelSession _session = null!;
    private Dataset _data = null!;
    private Dataset? _heldOut;
    private string? _checkpoint;

    private TrainingRun(CommandContext context, RunFolder folder) => (_context, _folder) = (context, folder);

    /// <summary>What was logged.</summary>
    public MetricsLog Metrics => MetricsLog.Read(_folder.Metrics);

    /// <summary>The command line that continues an interrupted run.</summary>
    public string CommandToGoOn => $"{_context.Host.CommandName} train --config {Quote(_folder.Settings)} --{TrainOptions.Resume} last";

    private OptionValues Values => _context.Values;

    /// <summary>Checks the options, takes the output folder, and loads model and data.</summary>
    public static TrainingRun Prepare(CommandContext context)
    {
        OptionValues values = context.Values;
        bool full = TrainOptions.CheckWhole(values);
        TrainingOptions training = TrainOptions.Training(values);
        training.Validate();
        if (!full)
        {
            TrainOptions.Adapter(values).Validate();
        }

        string? resume = values.Find(TrainOptions.Resume);
        string? checkpoint = resume == "last"
            ? Trainer.NewestCheckpoint(training.OutputDirectory) ?? throw new CliException($"--{TrainOptions.Resume}: {training.OutputDirectory} has no checkpoint.")
            : resume;
        RunFolder folder = RunFolder.Open(training.OutputDirectory, resume is not null, values.YesNo(TrainOptions.Overwrite));
        var run = new TrainingRun(context, folder) { _checkpoint = checkpoint };
        try
        {
            run.Load(full);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Trains, and writes the results.</summary>
    public TrainingResult Train()
    {
        TextWriter output = _context.Output;
        TrainingOptions options = TrainOptions.Training(Values);
        using var metrics = new MetricsFile(_folder.Metrics);
        using var progress = new ProgressLine(_context);
        using var trainer = new Trainer(
            _session.Model, _data, options, Values.YesNo(TrainOptions.Packing) ? LongestExample : null, _heldOut?.Examples, metrics, progress);
        if (_checkpoint is not null)
        {
            trainer.Resume(_checkpoint);
            output.WriteLine($"Resuming from {_checkpoint}.");
        }

        AtomicFile.WriteText(_folder.Settings, RunSettings.Write($"puresharp {CommandLineApp.Version} train", Values, _resolved, NotKept));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Run: {trainer.TotalSteps:#,##0} steps; results go to {_folder.Path}"));
        Describe();
        EvaluationResult? before = _checkpoint is null ? Evaluate(trainer, options) : null;
        if (_checkpoint is null)
        {
            WriteSamples(after: false);
        }

        TrainingResult result = trainer.Run(_context.Host.Interrupt);
        progress.Dispose();
        if (result.End != TrainingEnd.Interrupted)
        {
            trainer.SaveResult();
            EvaluationResult? last = options.EvalSteps > 0 ? result.Evaluation : Evaluate(trainer, options);
            if (last is { } evaluation)
            {
                if (options.EvalSteps == 0)
                {
                    metrics.OnEvaluated(result.Steps, Metrics.LastEpoch, evaluation);
                }

                Show("after", evaluation);
                result = result with { Evaluation = evaluation };
            }

            WriteSamples(after: true);
            output.WriteLine(result.End == TrainingEnd.StoppedEarly
                ? $"Stopped early after step {result.Steps}: the evaluation loss no longer fell."
                : string.Create(CultureInfo.InvariantCulture, $"Done: {result.Steps:#,##0} steps, last loss {result.LastLoss:0.0000}."));
        }

        AtomicFile.WriteText(_folder.Report, ReportPage.Write(new Report(
            _session.Blueprint.Name, Metrics, [.. RunSettings.List(Values, _resolved)], _samples, before, result)));
        output.WriteLine($"Results: {_folder.Path} (open {_folder.Report} in a browser)");
        return result;
    }

    public void Dispose()
    {
        _session?.Dispose();
        _folder.Dispose();
    }

    private int LongestExample { get; set; }

    private void Load(bool full)
    {
        LoadOptions loading = TrainOptions.Loading(Values, full);
        _resolved[CommonOptions.LoadIn4Bit] = loading.LoadIn4Bit ? "true" : "false";
        // Data first: its errors, and a card that is too small, are said before minutes of loading.
        _session = ModelSession.Open(_context, loading, (blueprint, tokenizer, backend) =>
        {
            LongestExample = Math.Min(Values.Integer(TrainOptions.Length), blueprint.Spec.MaxPositions);
            _resolved[TrainOptions.Length] = LongestExample.ToString(CultureInfo.InvariantCulture);
            ReadData(tokenizer, blueprint.Spec.VocabularySize);
            if (backend is IlgpuBackend card)
            {
                MemoryCheck.Require(blueprint.Spec, Plan(card), card.Device.Name, card.FreeMemoryBytes);
            }
        });
        if (!full)
        {
            AddAdapter();
        }
    }

    private void ReadData(Tokenizer tokenizer, int vocabularySize)
    {
        var reading = new DatasetOptions
        {
            MaxLength = LongestExample,
            CompletionOnlyLoss = Values.YesNo(TrainOptions.CompletionOnly),
            AssistantOnlyLoss = Values.YesNo(TrainOptions.AssistantOnly),
            ChatTemplate = ChatTemplate.Find(ModelPath.FilesOf(_context, Values.Text(CommonOptions.Model))),
            VocabularySize = vocabularySize,
        };
        _data = DatasetReader.Read(Values.List(TrainOptions.Dataset), tokenizer, reading);
        if (Values.List(TrainOptions.EvalDataset) is { Count: > 0 } files)
        {
            _heldOut = DatasetReader.Read(files, tokenizer, reading);
        }
        else if (Values.Integer(TrainOptions.EvalSteps) > 0 || Values.Integer(TrainOptions.Patience) > 0)
        {
            throw new UsageException($"--{TrainOptions.EvalSteps} and --{TrainOptions.Patience} need an --{TrainOptions.EvalDataset}.");
        }

        if (Values.Integer(TrainOptions.Patience) > 0 && Values.Integer(TrainOptions.EvalSteps) == 0)
        {
            throw new UsageException($"--{TrainOptions.Patience} needs --{TrainOptions.EvalSteps} above 0.");
        }
    }

    private PlanOptions Plan(IBackend backend) => PlanSettings.Of(
        Values, LongestExample, Math.Min(LongestExample, _data.Statistics.LongestExample), _data.Examples.Count, backend);

    private void AddAdapter()
    {
        AdapterSet adapters = _session.Model.Adapters;
        if (Values.Find(TrainOptions.InitAdapter) is not { } folder)
        {
            adapters.Add(AdapterName, TrainOptions.Adapter(Values), Values.Seed(CommonOptions.Seed));
            return;
        }

        LoraOptions loaded = adapters.Load(AdapterName, folder).Options;
        _resolved[TrainOptions.Rank] = loaded.Rank.ToString(CultureInfo.InvariantCulture);
        _resolved[TrainOptions.Alpha] = loaded.Alpha.ToString("R", CultureInfo.InvariantCulture);
        _resolved[TrainOptions.Dropout] = loaded.Dropout.ToString("R", CultureInfo.InvariantCulture);
        _resolved[TrainOptions.Targets] = string.Join(',', loaded.TargetModules);
        _resolved[TrainOptions.RsLora] = loaded.UseRsLora ? "true" : "false";
        _resolved[TrainOptions.Dora] = loaded.UseDora ? "true" : "false";
    }

    private void Describe()
    {
        long trainable = _session.Model.TrainableParameters.Sum(parameter => (long)parameter.Value.Shape.Count);
        ModelSummary.Write(_context.Output, _session, trainable, Plan(_session.Backend));
        DatasetStatistics data = _data.Statistics;
        _context.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Data: {_data.Examples.Count:#,##0} examples, {data.Tokens:#,##0} tokens, longest {data.LongestExample:#,##0}{(data.Truncated > 0 ? $"; {data.Truncated:#,##0} cut at {LongestExample:#,##0}" : "")}{(data.Dropped > 0 ? $"; {data.Dropped:#,##0} left out as too short" : "")}"));
        _context.Output.WriteLine();
    }

    private EvaluationResult? Evaluate(Trainer trainer, TrainingOptions options)
    {
        if (_heldOut is null)
        {
            return null;
        }

        EvaluationResult result = Evaluator.Evaluate(_session.Model, trainer.Tape, _heldOut.Examples, options.BatchSize, _context.Host.Interrupt);
        if (trainer.StepsDone == 0)
        {
            Show("before", result);
        }

        return result;
    }

    private void Show(string when, EvaluationResult result) => _context.Output.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"Held-out text {when} training: loss {result.Loss:0.0000}, perplexity {result.Perplexity:0.00}"));

    /// <summary>Continues the sample prompts.</summary>
    private void WriteSamples(bool after)
    {
        using var completion = new TextCompletion(_session.Model, _session.Tokenizer);
        foreach (string prompt in Values.List(TrainOptions.SamplePrompt))
        {
            var options = new GenerationOptions { MaxNewTokens = Math.Min(SampleTokens, _session.Model.Sizes.MaxPositions) };
            string text = completion.Complete(prompt, options, [], static _ => { }, CancellationToken.None).Text;
            int known = _samples.FindIndex(sample => sample.Prompt == prompt);
            if (known < 0)
            {
                _samples.Add(new Sample(prompt, after ? null : text, after ? text : null));
            }
            else
            {
                _samples[known] = _samples[known] with { After = text };
            }

            _context.Output.WriteLine($"{(after ? "After: " : "Before:")} {prompt}{text}");
        }
    }

    private static string Quote(string path) => path.Contains(' ', StringComparison.Ordinal) ? '"' + path + '"' : path;
}
