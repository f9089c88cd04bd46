namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A GGUF file as a model folder: the small files that such a folder has, made from its metadata.</summary>
public static class GgufModel
{
    /// <summary>The GGUF file that a path names: itself, or the only one in a folder that has no safetensors; null where the weights are elsewhere.</summary>
    /// <param name="path">A file or folder.</param>
    public static string? FindFile(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (File.Exists(path))
        {
            return path.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase) ? path : null;
        }

        if (!Directory.Exists(path) || File.Exists(Path.Combine(path, CheckpointReader.SingleFileName)) || File.Exists(Path.Combine(path, CheckpointReader.IndexFileName)))
        {
            return null;
        }

        string[] files = [.. Directory.EnumerateFiles(path).Where(file => file.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase))];
        return files.Length == 1 ? files[0] : null;
    }

    /// <summary>Writes config.json, tokenizer.json and tokenizer_config.json (with the chat template) as they follow from a file's metadata.</summary>
    /// <param name="file">A whole model.</param>
    /// <param name="folder">An existing folder.</param>
    /// <exception cref="WeightFormatException">The file holds no model, or one that is not supported.</exception>
    public static void WriteFiles(GgufFile file, string folder)
    {
        ArgumentNullException.ThrowIfNull(file);
        string config = GgufModelConfig.Create(file);
        (string tokenizer, string tokenizerConfig) = GgufTokenizerFiles.Create(file);
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer.json"), tokenizer);
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), tokenizerConfig);
        AtomicFile.WriteText(Path.Combine(folder, "config.json"), config);
    }
}
