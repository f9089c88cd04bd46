using System.Text.Json;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>The bundled model fine-tuned on the bundled data.</summary>
internal sealed class DemoCommand : ICliCommand
{
    private const int Samples = 2;

    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Demo");

    public string Name => "demo";

    public string Summary => "Fine-tunes the bundled tiny model on the bundled stories and shows what changed";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        new(TrainOptions.Output, OptionKind.Path, "Folder for the results; those of an earlier demo are replaced") { Default = Path.Combine("results", "demo") },
        new(CommonOptions.Model, OptionKind.Path, "Another model to fine-tune") { Aliases = ["model"], DefaultText = "the bundled one" },
        new(TrainOptions.MaxSteps, OptionKind.Integer, "Steps") { Min = 1, Default = "900" },
        .. CommonOptions.Loading("true").Where(option => option.Name is CommonOptions.Device or CommonOptions.Threads or CommonOptions.ComputeType)
            .Select(option => option with { Group = "Options", Default = option.Name == CommonOptions.Device ? "cpu" : option.Default }),
        CommonOptions.SeedNumber,
    ];

    public int Run(CommandContext context)
    {
        string model = context.Values.Find(CommonOptions.Model) ?? Path.Combine(Folder, "model");
        string train = Path.Combine(Folder, "data", "style-train.jsonl"), heldOut = Path.Combine(Folder, "data", "style-heldout.jsonl");
        OptionDefinition[] definitions = [.. TrainOptions.All, .. CommonOptions.Everywhere];
        var values = new OptionValues(definitions);
        Set(CommonOptions.Model, model);
        Set(TrainOptions.Dataset, train);
        Set(TrainOptions.EvalDataset, heldOut);
        Set(TrainOptions.Length, "256");
        Set(TrainOptions.Batch, "8");
        Set(TrainOptions.LearningRate, "0.004");
        Set(TrainOptions.Scheduler, "cosine");
        Set(TrainOptions.WarmupSteps, "10");
        Set(TrainOptions.LoggingSteps, "20");
        Set(TrainOptions.SaveSteps, "0");
        Set(TrainOptions.Overwrite, "true");
        Set(TrainOptions.SamplePrompt, [.. Prompts(heldOut).Take(Samples)]);
        foreach (OptionDefinition option in Options)
        {
            if (context.Values.Find(option.Name) is { } given)
            {
                Set(option.Name, given);
            }
        }

        Set(CommonOptions.Json, context.IsJson ? "true" : "false");
        context.Output.WriteLine("This demo teaches a tiny story teller to talk like a pirate: QLoRA on its 4-bit weights.");
        using TrainingRun run = TrainingRun.Prepare(context with { Values = values });
        return TrainCommand.Finish(context, run, run.Train(), values.Text(TrainOptions.Output));

        void Set(string name, params string[] given) => values.Set(definitions.Single(option => option.Name == name), given, "--" + name);
    }

    /// <summary>Beginnings of stories that the model is not trained on.</summary>
    private static IEnumerable<string> Prompts(string file)
    {
        foreach (string line in File.ReadLines(file))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            yield return json.RootElement.GetProperty("prompt").GetString()!;
        }
    }
}
