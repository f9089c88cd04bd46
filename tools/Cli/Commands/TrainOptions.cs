using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>The options of train, and what the libraries make of them. Defaults are those of the libraries.</summary>
internal static class TrainOptions
{
    public const string Dataset = "dataset";
    public const string EvalDataset = "eval-dataset";
    public const string Output = "output-dir";
    public const string Overwrite = "overwrite-output-dir";
    public const string Finetuning = "finetuning-type";
    public const string Rank = "r";
    public const string Alpha = "lora-alpha";
    public const string Dropout = "lora-dropout";
    public const string Targets = "target-modules";
    public const string RsLora = "use-rslora";
    public const string Dora = "use-dora";
    public const string InitAdapter = "init-adapter";
    public const string Batch = "per-device-train-batch-size";
    public const string Accumulation = "gradient-accumulation-steps";
    public const string Length = "max-length";
    public const string Packing = "packing";
    public const string LearningRate = "learning-rate";
    public const string Epochs = "num-train-epochs";
    public const string MaxSteps = "max-steps";
    public const string Scheduler = "lr-scheduler-type";
    public const string WarmupSteps = "warmup-steps";
    public const string WarmupRatio = "warmup-ratio";
    public const string WeightDecay = "weight-decay";
    public const string LoraPlus = "loraplus-lr-ratio";
    public const string Beta1 = "adam-beta1";
    public const string Beta2 = "adam-beta2";
    public const string Epsilon = "adam-epsilon";
    public const string MaxGradNorm = "max-grad-norm";
    public const string Optimizer = "optim";
    public const string Checkpointing = "gradient-checkpointing";
    public const string Offloading = "activation-offloading";
    public const string Neftune = "neftune-noise-alpha";
    public const string CompletionOnly = "completion-only-loss";
    public const string AssistantOnly = "assistant-only-loss";
    public const string LoggingSteps = "logging-steps";
    public const string EvalSteps = "eval-steps";
    public const string SaveSteps = "save-steps";
    public const string SaveLimit = "save-total-limit";
    public const string Resume = "resume-from-checkpoint";
    public const string Shuffle = "shuffle";
    public const string ReportTo = "report-to";
    public const string Patience = "early-stopping-patience";
    public const string SamplePrompt = "sample-prompt";

    /// <summary>The optimizer, under any of transformers' names for it.</summary>
    public static OptionDefinition OptimizerChoice { get; } = new(Optimizer, OptionKind.Choice, "The optimizer; in 8 bits its states take a quarter of the memory")
    {
        Choices = ["adamw_torch", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit"],
        Default = "adamw_torch",
    };

    /// <summary>Whether block inputs wait in the host's memory.</summary>
    public static OptionDefinition OffloadingChoice { get; } =
        new(Offloading, OptionKind.YesNo, "With checkpointing on a card, keep what is saved for the backward pass in the host's memory") { Default = "false" };

    public static IReadOnlyList<OptionDefinition> All { get; } =
    [
        CommonOptions.ModelFolder,
        .. CommonOptions.Loading(loadIn4Bit: "true"),
        new(Dataset, OptionKind.Path, "JSON lines, a JSON array or plain text") { IsRepeatable = true, IsRequired = true, Group = "Data" },
        new(EvalDataset, OptionKind.Path, "Held-out data of the same kinds") { IsRepeatable = true, Group = "Data" },
        new(Length, OptionKind.Integer, "Examples lose what is beyond this many tokens; packed rows are this long") { Min = 2, Default = "1024", Group = "Data" },
        new(Packing, OptionKind.YesNo, "Fill rows with several examples, which do not see each other") { Default = "false", Group = "Data" },
        new(CompletionOnly, OptionKind.YesNo, "Learn only the completion of prompt-and-completion records") { Default = "true", Group = "Data" },
        new(AssistantOnly, OptionKind.YesNo, "Learn only what the assistant says in conversations") { Default = "true", Group = "Data" },
        new(Shuffle, OptionKind.YesNo, "Visit the data in a new order each epoch") { Default = "true", Group = "Data" },
        new(Finetuning, OptionKind.Choice, "Train an adapter, or all weights") { Choices = ["lora", "full"], Default = "lora", Group = "Adapter" },
        new(Rank, OptionKind.Integer, "Rank of the adapter") { Min = 1, Default = "16", Group = "Adapter" },
        new(Alpha, OptionKind.Number, "The adapter's scale is alpha / r") { Min = 0, Default = "32", Group = "Adapter" },
        new(Dropout, OptionKind.Number, "Probability of dropping an input of the adapter") { Min = 0, Max = 1, IsBelowMax = true, Default = "0", Group = "Adapter" },
        new(Targets, OptionKind.Names, "Layers that get an adapter") { Default = "all-linear", Group = "Adapter" },
        new(RsLora, OptionKind.YesNo, "Scale by alpha / sqrt(r)") { Default = "false", Group = "Adapter" },
        new(Dora, OptionKind.YesNo, "Learn magnitude and direction apart (DoRA)") { Default = "false", Group = "Adapter" },
        new(InitAdapter, OptionKind.Path, "Start from this PEFT adapter; its r, alpha and targets hold") { Group = "Adapter" },
        new(Batch, OptionKind.Integer, "Rows computed at a time") { Min = 1, Default = "8", Group = "Training" },
        new(Accumulation, OptionKind.Integer, "Passes per step") { Min = 1, Default = "1", Group = "Training" },
        new(LearningRate, OptionKind.Number, "Peak learning rate") { Min = 0, Default = "0.0002", Group = "Training" },
        new(LoraPlus, OptionKind.Number, "Learning rate of the adapters' B over that of A (LoRA+)") { Min = 0, Default = "1", Group = "Training" },
        new(Epochs, OptionKind.Number, "Passes over the data") { Min = 0, Default = "3", Group = "Training" },
        new(MaxSteps, OptionKind.Integer, "Steps; above 0 it replaces the epochs") { Min = -1, Default = "-1", Group = "Training" },
        new(Scheduler, OptionKind.Choice, "How the learning rate runs")
            { Choices = ["linear", "cosine", "constant", "constant_with_warmup"], Default = "linear", Group = "Training" },
        new(WarmupSteps, OptionKind.Integer, "Steps in which the learning rate rises from 0") { Min = 0, Default = "0", Group = "Training" },
        new(WarmupRatio, OptionKind.Number, "The same, as a part of all steps") { Min = 0, Max = 1, Default = "0", Group = "Training" },
        new(WeightDecay, OptionKind.Number, "Decoupled weight decay") { Min = 0, Default = "0", Group = "Training" },
        new(Beta1, OptionKind.Number, "Decay of AdamW's first moment") { Min = 0, Max = 1, IsBelowMax = true, Default = "0.9", Group = "Training" },
        new(Beta2, OptionKind.Number, "Decay of AdamW's second moment") { Min = 0, Max = 1, IsBelowMax = true, Default = "0.999", Group = "Training" },
        new(Epsilon, OptionKind.Number, "Added to the root of the second moment") { Min = 0, Default = "1e-08", Group = "Training" },
        new(MaxGradNorm, OptionKind.Number, "Gradients with a larger norm are scaled down; 0 for never") { Min = 0, Default = "1", Group = "Training" },
        OptimizerChoice with { Group = "Training" },
        new(Checkpointing, OptionKind.YesNo, "Recompute each block in the backward pass: less memory, more time") { Default = "false", Group = "Training" },
        OffloadingChoice with { Group = "Training" },
        new(Neftune, OptionKind.Number, "Noise on embeddings while training; 0 for none") { Min = 0, Default = "0", Group = "Training" },
        CommonOptions.SeedNumber with { Group = "Training" },
        new(Output, OptionKind.Path, "Folder for the results") { IsRequired = true, Group = "Run" },
        new(Overwrite, OptionKind.YesNo, "Delete results of another run that are there") { Default = "false", Group = "Run" },
        new(Resume, OptionKind.Text, "Go on from a checkpoint folder, or from the last one of the output folder: last") { Group = "Run" },
        new(LoggingSteps, OptionKind.Integer, "Log every so many steps") { Min = 1, Default = "10", Group = "Run" },
        new(EvalSteps, OptionKind.Integer, "Evaluate every so many steps; 0 for only at the end") { Min = 0, Default = "0", Group = "Run" },
        new(SaveSteps, OptionKind.Integer, "Write a checkpoint every so many steps; 0 for none") { Min = 0, Default = "500", Group = "Run" },
        new(SaveLimit, OptionKind.Integer, "Keep only this many checkpoints; 0 for all") { Min = 0, Default = "0", Group = "Run" },
        new(Patience, OptionKind.Integer, "Stop when so many evaluations brought no better loss; 0 for never") { Min = 0, Default = "0", Group = "Run" },
        new(SamplePrompt, OptionKind.Text, "Continue this text before and after training, for the report") { IsRepeatable = true, Group = "Run" },
        new(ReportTo, OptionKind.Choice, "Where metrics go beside metrics.jsonl") { Choices = ["none", "tensorboard"], Default = "none", Group = "Run" },
    ];

    /// <summary>Whether all weights are trained.</summary>
    /// <exception cref="UsageException">Options contradict each other, or name what this version doesn't do.</exception>
    public static bool CheckWhole(OptionValues values)
    {
        if (values.Text(ReportTo) == "tensorboard")
        {
            throw new UsageException("--report-to: tensorboard is not supported yet; metrics.jsonl and report.html are always written.");
        }

        bool full = values.Text(Finetuning) == "full";
        if (full && values.IsGiven(CommonOptions.LoadIn4Bit) && values.YesNo(CommonOptions.LoadIn4Bit))
        {
            throw new UsageException("--load-in-4bit true does not go with --finetuning-type full: weights in 4 bits cannot be trained.");
        }

        string? adapterOption = values.Find(InitAdapter) is not null ? InitAdapter : values.YesNo(Dora) ? Dora : values.YesNo(RsLora) ? RsLora : null;
        return full && adapterOption is not null
            ? throw new UsageException($"--{adapterOption} does not go with --finetuning-type full: no adapter is trained.")
            : full;
    }

    /// <summary>Whether the optimizer keeps its states in 8 bits; transformers has several names for that.</summary>
    public static bool Has8BitStates(OptionValues values) => values.Text(Optimizer) != "adamw_torch";

    public static LoadOptions Loading(OptionValues values, bool full) => new()
    {
        LoadIn4Bit = !full && values.YesNo(CommonOptions.LoadIn4Bit),
        DoubleQuantization = values.YesNo(CommonOptions.DoubleQuantization),
        TrainAllWeights = full,
    };

    public static LoraOptions Adapter(OptionValues values) => new()
    {
        Rank = values.Integer(Rank),
        Alpha = values.Number(Alpha),
        Dropout = (float)values.Number(Dropout),
        TargetModules = values.Names(Targets),
        UseRsLora = values.YesNo(RsLora),
        UseDora = values.YesNo(Dora),
    };

    public static TrainingOptions Training(OptionValues values) => new()
    {
        OutputDirectory = values.Text(Output),
        BatchSize = values.Integer(Batch),
        GradientAccumulationSteps = values.Integer(Accumulation),
        Epochs = values.Number(Epochs),
        MaxSteps = values.Integer(MaxSteps),
        LearningRate = values.Number(LearningRate),
        LoraPlusRatio = values.Number(LoraPlus),
        Scheduler = values.Text(Scheduler) switch
        {
            "cosine" => SchedulerType.Cosine,
            "constant" => SchedulerType.Constant,
            "constant_with_warmup" => SchedulerType.ConstantWithWarmup,
            _ => SchedulerType.Linear,
        },
        WarmupSteps = values.Integer(WarmupSteps),
        WarmupRatio = values.Number(WarmupRatio),
        WeightDecay = values.Number(WeightDecay),
        Optimizer = Has8BitStates(values) ? OptimizerType.AdamW8Bit : OptimizerType.AdamW,
        AdamBeta1 = values.Number(Beta1),
        AdamBeta2 = values.Number(Beta2),
        AdamEpsilon = values.Number(Epsilon),
        MaxGradientNorm = values.Number(MaxGradNorm),
        GradientCheckpointing = values.YesNo(Checkpointing),
        ActivationOffloading = values.YesNo(Offloading),
        NeftuneNoiseAlpha = (float)values.Number(Neftune),
        LoggingSteps = values.Integer(LoggingSteps),
        EvalSteps = values.Integer(EvalSteps),
        SaveSteps = values.Integer(SaveSteps),
        SaveTotalLimit = values.Integer(SaveLimit),
        EarlyStoppingPatience = values.Integer(Patience),
        Seed = values.Seed(CommonOptions.Seed),
        Shuffle = values.YesNo(Shuffle),
    };
}
