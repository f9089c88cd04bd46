using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Options of commands that write a model folder.</summary>
internal static class FolderOptions
{
    public const string OutputName = "output-dir";
    public const string TypeName = "dtype";
    public const string ShardName = "max-shard-size";

    public static OptionDefinition Output { get; } = new(OutputName, OptionKind.Path, "New folder") { IsRequired = true, Aliases = ["output"] };

    public static OptionDefinition Type { get; } =
        new(TypeName, OptionKind.Choice, "Type of the stored weights") { Choices = ["float32", "float16", "bfloat16"], Aliases = ["torch-dtype"] };

    public static OptionDefinition Shard { get; } =
        new(ShardName, OptionKind.Size, "The most a weight file takes") { Default = "5GB" };

    /// <summary>Bytes of the weight files of a folder, or of a GGUF file.</summary>
    public static long WeightBytes(string folder) => GgufModel.FindFile(folder) is { } gguf
        ? new FileInfo(gguf).Length
        : Directory.EnumerateFiles(folder, "model*.safetensors").Sum(file => new FileInfo(file).Length);
}
