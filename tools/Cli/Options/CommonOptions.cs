namespace PureSharpQLoRA.Cli.Options;

/// <summary>Options that more than one command has.</summary>
internal static class CommonOptions
{
    public const string Json = "json";
    public const string Verbose = "verbose";
    public const string Config = "config";
    public const string Model = "model-name-or-path";
    public const string Device = "device";
    public const string Threads = "num-threads";
    public const string LoadIn4Bit = "load-in-4bit";
    public const string QuantType = "bnb-4bit-quant-type";
    public const string DoubleQuantization = "bnb-4bit-use-double-quant";
    public const string ComputeType = "bnb-4bit-compute-dtype";
    public const string Adapter = "adapter";
    public const string Seed = "seed";

    /// <summary>Every command has these.</summary>
    public static IReadOnlyList<OptionDefinition> Everywhere { get; } =
    [
        new(Config, OptionKind.Path, "YAML file with options; those on the command line win") { Group = "General" },
        new(Json, OptionKind.YesNo, "Print one JSON object and nothing else on standard output") { Group = "General", Default = "false" },
        new(Verbose, OptionKind.YesNo, "Show details, and where an error came from") { Group = "General", Default = "false" },
    ];

    public static OptionDefinition ModelFolder { get; } =
        new(Model, OptionKind.Path, "Model folder with config.json, safetensors weights and tokenizer.json, or a GGUF file") { Aliases = ["model"], IsRequired = true, Group = "Model" };

    public static OptionDefinition AdapterFolder { get; } =
        new(Adapter, OptionKind.Path, "Folder of a PEFT adapter to use") { Aliases = ["adapter-name-or-path"], Group = "Model" };

    public static OptionDefinition SeedNumber { get; } =
        new(Seed, OptionKind.Integer, "Everything random follows from it") { Min = 0, Default = "42" };

    /// <summary>How a model is kept and computed.</summary>
    /// <param name="loadIn4Bit">The default, or null where it depends.</param>
    public static IReadOnlyList<OptionDefinition> Loading(string? loadIn4Bit) =>
    [
        new(Device, OptionKind.Choice, "Where to compute") { Choices = ["auto", "cpu", "cuda"], Default = "auto", Group = "Model" },
        new(Threads, OptionKind.Integer, "Threads to compute on") { Min = 0, Max = 4096, Default = "0", DefaultText = "one per processor", Group = "Model" },
        new(LoadIn4Bit, OptionKind.YesNo, "Keep the linear layers in NF4")
            { Default = loadIn4Bit, DefaultText = loadIn4Bit is null ? "as the adapter was trained, else false" : null, Group = "Model" },
        new(QuantType, OptionKind.Choice, "The 4-bit format") { Choices = ["nf4"], Default = "nf4", Group = "Model" },
        new(DoubleQuantization, OptionKind.YesNo, "Quantise the scales of NF4 as well")
            { Default = loadIn4Bit is null ? null : "false", DefaultText = loadIn4Bit is null ? "as the adapter was trained, else false" : null, Group = "Model" },
        new(ComputeType, OptionKind.Choice, "Type of the products")
            { Choices = ["float32", "bfloat16", "float16"], DefaultText = "float32 on the CPU; on a card bfloat16 where it has it, else float16", Group = "Model" },
    ];
}
