using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Where the parts of a model are: for a model folder all in it, for a GGUF file its small files in the cache.</summary>
internal static class ModelPath
{
    /// <summary>
    /// The folder with config.json and the tokenizer of what --model names. For a GGUF file without them beside it they are made from its metadata, once for
    /// each state of the file.
    /// </summary>
    public static string FilesOf(CommandContext context, string model)
    {
        if (GgufModel.FindFile(model) is not { } gguf)
        {
            return model;
        }

        gguf = Path.GetFullPath(gguf);
        string beside = Path.GetDirectoryName(gguf)!;
        if (Directory.Exists(model) && File.Exists(Path.Combine(beside, "config.json")) && File.Exists(Path.Combine(beside, "tokenizer.json")))
        {
            return model;
        }

        var file = new FileInfo(gguf);
        string key = CompilationCache.Key(gguf, FormattableString.Invariant($"{file.Length} {file.LastWriteTimeUtc.Ticks}"), typeof(GgufModel).Assembly.ManifestModule.ModuleVersionId.ToString("N"));
        string folder = Path.Combine(context.Host.CacheFolder ?? CompilationCache.DefaultFolder, key, Path.GetFileNameWithoutExtension(gguf));

        // config.json is written last.
        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            using GgufFile opened = GgufFile.Open(gguf);
            Directory.CreateDirectory(folder);
            GgufModel.WriteFiles(opened, folder);
        }

        return folder;
    }
}
