using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Text.Templates;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli;

/// <summary>What a user is told about an error.</summary>
internal static class ErrorText
{
    private const string LessMemory = "Lower --per-device-train-batch-size or --max-length, or use --gradient-checkpointing or --load-in-4bit.";

    /// <summary>One line for an error that a user can do something about; null for one that is a defect of this program.</summary>
    public static string? For(Exception error) => error switch
    {
        CliException or WeightFormatException or DatasetException or TrainingException or TokenizerFormatException or TemplateException or ChatTemplateException or ShapeException or NotSupportedException => CommandLineApp.OneLine(error.Message),
        ArgumentException { ParamName: null } => CommandLineApp.OneLine(error.Message),
        IOException or UnauthorizedAccessException => CommandLineApp.OneLine(error.Message),
        DeviceMemoryException => $"{CommandLineApp.OneLine(error.Message)} {LessMemory} The last checkpoint is safe.",
        CudaException => CommandLineApp.OneLine(error.Message),
        OutOfMemoryException => $"There is not enough memory. {LessMemory}",
        OperationCanceledException => "Interrupted.",
        _ => null,
    };

    /// <summary>One line for a defect.</summary>
    public static string Unexpected(Exception error) =>
        $"Unexpected {error.GetType().Name}: {CommandLineApp.OneLine(error.Message)} (This is a defect; --verbose shows where it happened.)";
}
