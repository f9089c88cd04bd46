using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A model of random weights.</summary>
internal sealed class InitCommand : ICliCommand
{
    private const double DefaultDeviation = 0.02;

    public string Name => "init";

    public string Summary => "Writes a model of random weights for a config.json, to train from scratch or to measure speed";

    public string Positional => CommonOptions.Model;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder with { Help = "config.json, or a folder with one; a tokenizer beside it is copied", Aliases = ["model", "model-config"] },
        FolderOptions.Output with { Help = "New folder for the model" },
        CommonOptions.SeedNumber,
        FolderOptions.Type with { DefaultText = "the config's torch_dtype, else bfloat16" },
        FolderOptions.Shard,
        new(CommonOptions.Threads, OptionKind.Integer, "Threads to work on") { Min = 0, Max = 4096, Default = "0", DefaultText = "one per processor" },
    ];

    public int Run(CommandContext context)
    {
        OptionValues values = context.Values;
        ModelBlueprint model = ModelBlueprint.Read(values.Text(CommonOptions.Model));
        string output = values.Text(FolderOptions.OutputName);
        var config = (JsonObject)JsonNode.Parse(model.ConfigJson, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip })!;
        string type = values.Find(FolderOptions.TypeName) ?? TypeOf(config) ?? "bfloat16";
        var options = new RandomModelOptions
        {
            Seed = values.Seed(CommonOptions.Seed),
            StandardDeviation = (float)(config["initializer_range"]?.GetValue<double>() ?? DefaultDeviation),
            Type = WeightTypes.Parse(type),
            MaxShardBytes = values.Size(FolderOptions.ShardName)!.Value,
            Threads = values.Integer(CommonOptions.Threads),
        };
        long total = WeightCounts.Total(model.Spec), done = 0;
        using AtomicFolder folder = AtomicFolder.Create(output);
        using (var line = new LiveLine(context))
        {
            var progress = new ImmediateProgress<long>(made =>
            {
                long now = Interlocked.Add(ref done, made);
                line.Show(string.Create(CultureInfo.InvariantCulture, $"{100 * now / total} %  {now:#,##0} of {total:#,##0} weights"));
            });
            RandomModelWriter.Write(folder.TemporaryPath, ModelWeights.Of(model.Spec), options, progress, context.Host.Interrupt);
        }

        config.Remove("quantization_config");
        config[config.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = type;
        AtomicFile.WriteText(Path.Combine(folder.TemporaryPath, "config.json"), config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        CompanionFiles.Copy(Path.GetDirectoryName(model.ConfigPath)!, folder.TemporaryPath);
        folder.Commit();
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("output_dir", output);
                json.WriteNumber("weights", total);
                json.WriteNumber("bytes", FolderOptions.WeightBytes(output));
            });
        }

        context.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{output}: {total:#,##0} random weights (seed {options.Seed}, {type}), {ByteSize.Show(FolderOptions.WeightBytes(output))}."));
        return ExitCodes.Done;
    }

    private static string? TypeOf(JsonObject config) =>
        (config["torch_dtype"] ?? config["dtype"])?.ToString() is { } name && WeightTypes.IsKnown(name) ? name : null;
}
