using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A model, or an adapter alone, as GGUF for llama.cpp and Ollama.</summary>
internal sealed class ExportCommand : ICliCommand
{
    private const string Type = "outtype";
    private const string Output = "output";
    private const string AdapterOnly = "adapter-only";
    private const string PreTokenizer = "pre-tokenizer";

    public string Name => "export";

    public string Summary => "Writes a model, a merged model or an adapter as a GGUF file for llama.cpp and Ollama";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder,
        CommonOptions.AdapterFolder with { Help = "PEFT adapter folder: merged into the model, or with --adapter-only written alone" },
        new(AdapterOnly, OptionKind.YesNo, "Write the adapter alone, to be used with a GGUF file of its base") { Default = "false" },
        new(Type, OptionKind.Choice, "Type of the stored matrices") { Choices = ["f32", "f16", "bf16", "q8_0", "q4_0"], DefaultText = "f16; f32 for an adapter" },
        new(Output, OptionKind.Path, "The new .gguf file; a Modelfile for Ollama is written beside it") { IsRequired = true },
        new(PreTokenizer, OptionKind.Text, "Name GGUF has for the tokenizer's way of splitting text, where it cannot be found out") { DefaultText = "found from tokenizer.json" },
    ];

    public int Run(CommandContext context)
    {
        OptionValues values = context.Values;
        string model = values.Text(CommonOptions.Model), output = values.Text(Output);
        string? adapter = values.Find(CommonOptions.Adapter);
        bool adapterOnly = values.YesNo(AdapterOnly);
        CheckOutput(output, adapter, adapterOnly);
        string files = ModelPath.FilesOf(context, model);
        ModelBlueprint blueprint = ModelBlueprint.Read(files);
        GgufModelInfo info = GgufModelInfos.Of(blueprint.Spec, blueprint.Name, context.Warn);
        GgufTensorType type = TypeOf(values.Find(Type) ?? (adapterOnly ? "f32" : "f16"));
        string modelfile;
        GgufExportReport report;
        if (adapterOnly)
        {
            report = type is GgufTensorType.Q80 or GgufTensorType.Q40
                ? throw new UsageException("--outtype: an adapter is stored as f32, f16 or bf16.")
                : GgufAdapterExporter.Export(adapter!, info, output, type);
            modelfile = OllamaModelfile.ForAdapter(Path.GetFileName(output), model);
        }
        else
        {
            Tokenizer tokenizer = Tokenizer.Load(files);
            string? template = ChatTemplateText.Find(files);
            var options = new GgufExportOptions
            {
                Type = type,
                SpecialTokens = SpecialTokens(tokenizer),
                ChatTemplate = template,
                PreTokenizer = values.Find(PreTokenizer),
                FilesFolder = files,
            };
            using var line = new LiveLine(context);
            report = GgufModelExporter.Export(model, adapter, info, output, options, new ImmediateProgress<string>(line.Show), context.Host.Interrupt);
            line.Clear();
            modelfile = OllamaModelfile.ForModel(Path.GetFileName(output), template);
        }

        Report(context, output, report, OllamaModelfile.Write(output, modelfile));
        return ExitCodes.Done;
    }

    private static void CheckOutput(string output, string? adapter, bool adapterOnly)
    {
        if (adapterOnly && adapter is null)
        {
            throw new UsageException("--adapter-only needs --adapter: the adapter to write.");
        }

        if (!output.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"--output: '{output}' must end in {GgufFile.Extension}.");
        }

        if (Path.Exists(output))
        {
            throw new CliException($"{output} exists already; delete it or choose another name.");
        }
    }

    private static void Report(CommandContext context, string output, GgufExportReport report, string modelfile)
    {
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("output", output);
                json.WriteString("modelfile", modelfile);
                json.WriteNumber("tensors", report.Tensors);
                json.WriteNumber("bytes", report.Bytes);
                json.WriteNumber("tensors_of_other_types", report.OtherTypes);
            });
        }

        string others = report.OtherTypes == 0 ? "" : $", {report.OtherTypes} of them in a wider type";
        context.Output.WriteLine($"{output}: {report.Tensors} tensors{others}, {ByteSize.Show(report.Bytes)}.");
        context.Output.WriteLine($"{modelfile}: for Ollama: ollama create NAME -f {modelfile}");
    }

    private static GgufSpecialTokens SpecialTokens(Tokenizer tokenizer)
    {
        // What the empty text turns into is what every text gets around it.
        int[] around = tokenizer.Encode("");
        bool addBegin = tokenizer.BosId is { } begin && around.Length > 0 && around[0] == begin;
        bool addEnd = tokenizer.EosId is { } end && around.Length > (addBegin ? 1 : 0) && around[^1] == end;
        return new GgufSpecialTokens(tokenizer.BosId, tokenizer.EosId, tokenizer.UnknownId, tokenizer.PadId, addBegin, addEnd);
    }

    private static GgufTensorType TypeOf(string name) => name switch
    {
        "f32" => GgufTensorType.Float32,
        "f16" => GgufTensorType.Float16,
        "bf16" => GgufTensorType.BFloat16,
        "q8_0" => GgufTensorType.Q80,
        _ => GgufTensorType.Q40,
    };
}
