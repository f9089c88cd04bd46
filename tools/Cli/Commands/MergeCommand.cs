using System.Globalization;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>An adapter added to the weights of its base.</summary>
internal sealed class MergeCommand : ICliCommand
{
    private const string Text = "text";
    private const string DefaultText = "Once upon a time, there was a little girl who liked to play outside in the park.";

    public string Name => "merge";

    public string Summary => "Writes a model with an adapter merged into its weights, and says what that cost in accuracy";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder with { Help = "The base: the original 16-bit model, or the 4-bit one, which is decoded" },
        CommonOptions.AdapterFolder with { IsRequired = true },
        FolderOptions.Output with { Help = "New folder for the merged model" },
        FolderOptions.Type with { DefaultText = "as in the base" },
        FolderOptions.Shard,
        new(Text, OptionKind.Text, "A text on which merged and unmerged logits are compared") { Default = DefaultText, DefaultText = "a short English sentence" },
        new(CommonOptions.Threads, OptionKind.Integer, "Threads to compute on") { Min = 0, Max = 4096, Default = "0", DefaultText = "one per processor" },
        new(CommonOptions.Device, OptionKind.Choice, "Where to compute") { Choices = ["auto", "cpu", "cuda"], Default = "auto" },
        new(CommonOptions.ComputeType, OptionKind.Choice, "Type of the products") { Choices = ["float32", "bfloat16", "float16"], Default = "float32" },
    ];

    public int Run(CommandContext context)
    {
        OptionValues values = context.Values;
        string model = values.Text(CommonOptions.Model), adapter = values.Text(CommonOptions.Adapter), output = values.Text(FolderOptions.OutputName);
        var options = new MergeOptions
        {
            Type = values.Find(FolderOptions.TypeName) is { } type ? WeightTypes.Parse(type) : null,
            MaxShardBytes = values.Size(FolderOptions.ShardName)!.Value,
            FilesFolder = ModelPath.FilesOf(context, model),
        };
        float[] unmerged;
        var dense = new LoadOptions { LoadIn4Bit = false };
        using (ModelSession session = ModelSession.Open(context, model, dense))
        {
            session.Model.Adapters.Load("adapter", adapter);
            unmerged = TextLogits.Of(session, values.Text(Text));
        }

        MergeReport report;
        using (var line = new LiveLine(context))
        {
            report = ModelMerger.Merge(model, adapter, output, options, new ImmediateProgress<string>(line.Show), context.Host.Interrupt);
        }

        float[] merged;
        using (ModelSession session = ModelSession.Open(context, output, dense))
        {
            merged = TextLogits.Of(session, values.Text(Text));
        }

        Report(context, output, report, LogitDifference.Between(unmerged, merged));
        return ExitCodes.Done;
    }

    private static void Report(CommandContext context, string output, MergeReport report, LogitDifference difference)
    {
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("output_dir", output);
                json.WriteNumber("layers", report.Layers);
                json.WriteNumber("max_weight_change", report.MaxChange);
                json.WriteNumber("mean_weight_change", report.MeanChange);
                json.WriteNumber("max_logit_difference", difference.Max);
                json.WriteNumber("mean_logit_difference", difference.Mean);
                json.WriteNumber("logit_standard_deviation", difference.Deviation);
            });
        }

        context.Output.WriteLine($"{output}: {report.Layers} layers merged, {report.Shards} weight file{(report.Shards == 1 ? "" : "s")}.");
        context.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Weights changed by {report.MeanChange:0.0e+0} on average, {report.MaxChange:0.0e+0} at most."));
        context.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Logits of the merged model differ from base plus adapter by {difference.Mean:0.0e+0} on average, {difference.Max:0.0e+0} at most (their own spread is {difference.Deviation:0.0})."));
    }
}
