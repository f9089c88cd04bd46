using System.Globalization;
using System.Text.Json;
using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>What training would take, without any weights at hand.</summary>
internal sealed class EstimateCommand : ICliCommand
{
    private const string Card = "card";
    private const string Memory = "memory";
    private const string Batch = "per-device-train-batch-size";
    private const string Length = "max-length";
    private const string Rank = "r";
    private const string Targets = "target-modules";
    private const string Checkpoint = "gradient-checkpointing";

    private static readonly (string Key, TrainingMethod Method)[] Methods =
        [("qlora", TrainingMethod.QLora), ("lora", TrainingMethod.Lora), ("full", TrainingMethod.Full)];

    public string Name => "estimate";

    public string Summary => "Tells the memory that full fine-tuning, LoRA and QLoRA take, and the longest context that fits on a card";

    public string Positional => CommonOptions.Model;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder with { Help = "Model folder, or just its config.json, or a GGUF file" },
        new(Card, OptionKind.Choice, "A card; without it and without --memory, all are listed") { Choices = [.. GraphicsCards.All.Select(card => card.Key)] },
        new(Memory, OptionKind.Size, "A size to fit in, such as 16GiB"),
        new(Batch, OptionKind.Integer, "Sequences in one pass") { Min = 1, Default = "1", Aliases = ["batch"] },
        new(Length, OptionKind.Integer, "Tokens per sequence") { Min = 1, Default = "1024", Aliases = ["length"] },
        new(Rank, OptionKind.Integer, "Rank of the adapters") { Min = 1, Default = "16", Aliases = ["rank"] },
        new(Targets, OptionKind.Names, "Layers with adapters") { Default = "all-linear" },
        new(Checkpoint, OptionKind.YesNo, "Recompute each block from its input; false keeps what the backward pass needs") { Default = "true" },
        TrainOptions.OffloadingChoice,
        TrainOptions.OptimizerChoice,
        new(CommonOptions.DoubleQuantization, OptionKind.YesNo, "Quantise the scales of NF4 as well") { Default = "false", Aliases = ["double-quant"] },
        new(CommonOptions.Device, OptionKind.Choice, "Where: activations take 16 bits with cuda, 32 with cpu") { Choices = ["cuda", "cpu"], Default = "cuda" },
    ];

    public int Run(CommandContext context)
    {
        ModelBlueprint model = ModelBlueprint.Read(ModelPath.FilesOf(context, context.Values.Text(CommonOptions.Model)));
        PlanOptions options = Read(context.Values, model.Spec);
        (string Name, long Bytes)[] budgets = [.. Budgets(context.Values)];
        if (context.IsJson)
        {
            context.WriteJson(json => WriteJson(json, model, options, budgets));
        }
        else
        {
            WriteText(context.Output, model, options, budgets);
        }

        return ExitCodes.Done;
    }

    private static PlanOptions Read(OptionValues values, ModelSpec spec)
    {
        string[] targets = values.Names(Targets);
        string[] known = [.. spec.BlockLinears.Select(linear => linear.Name)];
        if (targets is not ["all-linear"])
        {
            foreach (string target in targets)
            {
                if (!known.Contains(target))
                {
                    throw new UsageException($"--{Targets}: '{target}' names no linear layer; there are {string.Join(", ", known)}, or all-linear.");
                }
            }
        }

        return new PlanOptions
        {
            Batch = values.Integer(Batch),
            Length = values.Integer(Length),
            Rank = values.Integer(Rank),
            TargetModules = targets is ["all-linear"] ? [] : [.. targets],
            Checkpointing = values.YesNo(Checkpoint) ? Checkpointing.Full : Checkpointing.Selective,
            DoubleQuantization = values.YesNo(CommonOptions.DoubleQuantization),
            OffloadsActivations = values.YesNo(TrainOptions.Offloading) && values.Text(CommonOptions.Device) != "cpu",
            OptimizerBits = TrainOptions.Has8BitStates(values) ? 8 : 32,
            ActivationBits = values.Text(CommonOptions.Device) == "cpu" ? 32 : 16,
        };
    }

    private static IEnumerable<(string Name, long Bytes)> Budgets(OptionValues values)
    {
        if (values.Size(Memory) is { } bytes)
        {
            yield return (ByteSize.Show(bytes), bytes);
        }

        foreach (GraphicsCard card in GraphicsCards.All)
        {
            if (values.Find(Card) == card.Key || (values.Find(Card) is null && !values.IsGiven(Memory)))
            {
                yield return (card.Name, card.UsableBytes);
            }
        }
    }

    private static void WriteText(TextWriter output, ModelBlueprint model, PlanOptions options, (string Name, long Bytes)[] budgets)
    {
        output.WriteLine(model.Name);
        output.WriteLine(MemoryTable.Write(model.Spec, options));
        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Longest context that fits, in tokens per sequence (batch {options.Batch}; the model knows {model.Spec.MaxPositions:#,##0} positions)"));
        output.WriteLine();
        output.WriteLine($"{"",-24}{"usable",14}{"QLoRA",14}{"LoRA",14}{"Full",14}");
        foreach ((string name, long bytes) in budgets)
        {
            string[] lengths = [.. Methods.Select(method => Longest(model.Spec, options, method.Method, bytes) is > 0 and var tokens
                ? tokens.ToString("#,##0", CultureInfo.InvariantCulture) : "no")];
            output.WriteLine($"{name,-24}{ByteSize.Show(bytes),14}{lengths[0],14}{lengths[1],14}{lengths[2],14}");
        }
    }

    private static void WriteJson(Utf8JsonWriter json, ModelBlueprint model, PlanOptions options, (string Name, long Bytes)[] budgets)
    {
        json.WriteString("model", model.Name);
        json.WriteNumber("weights", WeightCounts.Total(model.Spec));
        json.WriteNumber("batch", options.Batch);
        json.WriteNumber("length", options.Length);
        json.WriteNumber("r", options.Rank);
        json.WriteBoolean("gradient_checkpointing", options.Checkpointing == Checkpointing.Full);
        json.WriteBoolean("double_quantization", options.DoubleQuantization);
        foreach ((string key, TrainingMethod method) in Methods)
        {
            MemoryPlan plan = MemoryPlanner.Plan(model.Spec, options with { Method = method });
            json.WriteStartObject(key);
            foreach (MemoryRow row in plan.Rows)
            {
                json.WriteNumber(row.Name.ToLowerInvariant().Replace('/', '_').Replace(' ', '_') + "_bytes", row.Bytes);
            }

            json.WriteNumber("total_bytes", plan.TotalBytes);
            json.WriteEndObject();
        }

        json.WriteStartArray("budgets");
        foreach ((string name, long bytes) in budgets)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteNumber("usable_bytes", bytes);
            json.WriteStartObject("longest_context");
            foreach ((string key, TrainingMethod method) in Methods)
            {
                json.WriteNumber(key, Longest(model.Spec, options, method, bytes));
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static int Longest(ModelSpec spec, PlanOptions options, TrainingMethod method, long bytes) =>
        MemoryPlanner.LongestContext(spec, options with { Method = method }, bytes);
}
