namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The small files beside a model's weights: config, tokenizer, chat template, licence.</summary>
public static class CompanionFiles
{
    private const long MaxBytes = 256 << 20;

    private static readonly string[] WeightEndings = [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".h5", ".msgpack", ".index.json"];

    /// <summary>Copies everything but weights, hidden files and folders. Files that are there already stay. What a GGUF file has no files for is made from its metadata.</summary>
    /// <param name="source">A model folder, or a GGUF file.</param>
    /// <param name="target">An existing folder.</param>
    public static void Copy(string source, string target)
    {
        if (GgufModel.FindFile(source) is { } gguf && !File.Exists(Path.Combine(source, "config.json")))
        {
            using GgufFile opened = GgufFile.Open(gguf);
            GgufModel.WriteFiles(opened, target);
            return;
        }

        foreach (string file in Directory.EnumerateFiles(source))
        {
            string name = Path.GetFileName(file), copy = Path.Combine(target, name);
            if (name[0] == '.' || WeightEndings.Any(name.EndsWith) || File.Exists(copy) || new FileInfo(file).Length > MaxBytes)
            {
                continue;
            }

            // The copy must be writable for its owner even where the original is not.
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read);
            using var to = new FileStream(copy, FileMode.CreateNew, FileAccess.Write);
            from.CopyTo(to);
        }
    }
}
