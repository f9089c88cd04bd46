using System.Globalization;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Loss and perplexity.</summary>
internal sealed class EvalCommand : ICliCommand
{
    private const string Data = "dataset";
    private const string Length = "max-length";
    private const string Batch = "per-device-eval-batch-size";
    private const string Completion = "completion-only-loss";

    public string Name => "eval";

    public string Summary => "Measures loss and perplexity of a model, with or without an adapter, on a data set";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder,
        CommonOptions.AdapterFolder,
        .. CommonOptions.Loading(loadIn4Bit: null),
        new(Data, OptionKind.Path, "JSON lines, a JSON array or plain text") { IsRepeatable = true, IsRequired = true, Aliases = ["eval-dataset"] },
        new(Length, OptionKind.Integer, "Examples lose what is beyond this many tokens") { Min = 2, Default = "1024" },
        new(Batch, OptionKind.Integer, "Examples computed at a time") { Min = 1, Default = "8", Aliases = ["per-device-train-batch-size"] },
        new(Completion, OptionKind.YesNo, "Score only the completion of prompt-and-completion records") { Default = "true" },
        new(TrainOptions.AssistantOnly, OptionKind.YesNo, "Score only what the assistant says in conversations") { Default = "true" },
    ];

    public int Run(CommandContext context)
    {
        OptionValues values = context.Values;
        using ModelSession session = ModelSession.Open(context);
        Dataset data = DatasetReader.Read(values.List(Data), session.Tokenizer, new DatasetOptions
        {
            MaxLength = Math.Min(values.Integer(Length), session.Model.Sizes.MaxPositions),
            CompletionOnlyLoss = values.YesNo(Completion),
            AssistantOnlyLoss = values.YesNo(TrainOptions.AssistantOnly),
            ChatTemplate = ChatTemplate.Find(ModelPath.FilesOf(context, values.Text(CommonOptions.Model))),
            VocabularySize = session.Model.Sizes.VocabularySize,
        });
        using var tape = new Tape(session.Backend);
        EvaluationResult result = Evaluator.Evaluate(session.Model, tape, data.Examples, values.Integer(Batch), context.Host.Interrupt);
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteNumber("loss", result.Loss);
                json.WriteNumber("perplexity", result.Perplexity);
                json.WriteNumber("tokens", result.Targets);
            });
        }
        else
        {
            context.Output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"loss {result.Loss:0.0000}, perplexity {result.Perplexity:0.000} on {result.Targets:#,##0} tokens of {data.Examples.Count:#,##0} examples"));
        }

        return ExitCodes.Done;
    }
}
