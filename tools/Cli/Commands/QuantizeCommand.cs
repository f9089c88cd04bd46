using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A model in 4 bits, on disk.</summary>
internal sealed class QuantizeCommand : ICliCommand
{
    public string Name => "quantize";

    public string Summary => "Writes a model in bitsandbytes' 4-bit format";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder,
        FolderOptions.Output with { Help = "New folder for the 4-bit model" },
        new(CommonOptions.QuantType, OptionKind.Choice, "The 4-bit format") { Choices = ["nf4"], Default = "nf4" },
        new(CommonOptions.DoubleQuantization, OptionKind.YesNo, "Quantise the scales of NF4 as well") { Default = "true" },
        new(CommonOptions.Threads, OptionKind.Integer, "Threads to work on") { Min = 0, Max = 4096, Default = "0", DefaultText = "one per processor" },
    ];

    public int Run(CommandContext context)
    {
        string model = context.Values.Text(CommonOptions.Model), output = context.Values.Text(FolderOptions.OutputName);
        string files = ModelPath.FilesOf(context, model);
        ModelBlueprint.Read(files);
        int threads = context.Values.Integer(CommonOptions.Threads);
        var options = new ModelQuantizerOptions
        {
            UseDoubleQuant = context.Values.YesNo(CommonOptions.DoubleQuantization),
            Threads = threads > 0 ? threads : Environment.ProcessorCount,
            FilesFolder = files,
        };
        using var line = new LiveLine(context);
        var progress = new ImmediateProgress<QuantizationProgress>(now => line.Show($"{100 * now.BytesDone / Math.Max(1, now.BytesTotal)} %  {now.Tensor}"));
        ModelQuantizer.Quantize(model, output, options, progress, context.Host.Interrupt);
        line.Clear();
        long before = FolderOptions.WeightBytes(model), after = FolderOptions.WeightBytes(output);
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("output_dir", output);
                json.WriteNumber("bytes_before", before);
                json.WriteNumber("bytes_after", after);
            });
        }

        context.Output.WriteLine($"{output}: {ByteSize.Show(before)} of weights became {ByteSize.Show(after)}.");
        return ExitCodes.Done;
    }
}
