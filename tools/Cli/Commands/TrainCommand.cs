using System.Globalization;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Training;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Fine-tuning.</summary>
internal sealed class TrainCommand : ICliCommand
{
    public string Name => "train";

    public string Summary => "Fine-tunes a model with QLoRA, LoRA or in full";

    public IReadOnlyList<OptionDefinition> Options => TrainOptions.All;

    public int Run(CommandContext context)
    {
        using TrainingRun run = TrainingRun.Prepare(context);
        return Finish(context, run, run.Train(), context.Values.Text(TrainOptions.Output));
    }

    /// <summary>Says how a run ended.</summary>
    /// <returns>The exit code.</returns>
    public static int Finish(CommandContext context, TrainingRun run, TrainingResult result, string output)
    {
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                run.Metrics.WriteLast(json);
                json.WriteString("output_dir", output);
                json.WriteString("end", result.End.ToString().ToLowerInvariant());
            });
        }

        if (result.End == TrainingEnd.Interrupted)
        {
            context.Host.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Interrupted after step {result.Steps}; everything is saved in {result.Folder}. To go on:"));
            context.Host.Error.WriteLine("  " + run.CommandToGoOn);
            return ExitCodes.Interrupted;
        }

        return ExitCodes.Done;
    }
}
