using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>A model of random weights with a tokenizer and data, made once for all tests, and a cache of compiled models of its own.</summary>
public sealed class TinyModel : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public TinyModel()
    {
        Directory.CreateDirectory(_folder.File("config"));
        File.WriteAllText(_folder.File("config", "config.json"), Configs.Tiny);
        string[] texts = [.. Enumerable.Range(0, 60).Select(i => $"The {Animals[i % 5]} number {i % 7} sat on the {Things[i % 4]} and said hello to all.")];
        BytePairTrainer.Train(texts, new BytePairTrainerOptions { VocabularySize = 300 }).Save(_folder.File("config"));
        File.WriteAllLines(Data, texts.Take(50).Select(text => $$"""{"text": "{{text}}"}"""));
        File.WriteAllLines(HeldOut, texts.Skip(50).Select(text => $$"""{"text": "{{text}}"}"""));
        Run("init", "--model", _folder.File("config"), "--output-dir", Folder).MustExitWith(ExitCodes.Done);
    }

    public string Folder => _folder.File("model");

    public string Data => _folder.File("data.jsonl");

    public string HeldOut => _folder.File("held-out.jsonl");

    internal CliHost Host => CliRun.Host with { CacheFolder = _folder.File("cache") };

    private static readonly string[] Animals = ["cat", "dog", "bird", "fish", "cow"];

    private static readonly string[] Things = ["mat", "roof", "tree", "chair"];

    /// <summary>A folder that doesn't exist yet.</summary>
    public string NewPath(string name) => _folder.File(Guid.NewGuid().ToString("N"), name);

    internal CliRun Run(params string[] args) => CliRun.With(Host, args);

    /// <summary>The bundled model.</summary>
    public static string Demo => TestFiles.InRepository("tools", "Cli", "Demo", "model");

    /// <summary>Exports a model as GGUF, in fp32 unless more is said.</summary>
    internal string Export(string folder, params string[] more)
    {
        string output = NewPath("model.gguf");
        string[] type = more.Contains("--outtype") ? [] : ["--outtype", "f32"];
        Run(["export", "--model", folder, "--output", output, .. type, .. more]).MustExitWith(ExitCodes.Done);
        return output;
    }

    /// <summary>A model of large random weights, so that its logits are far apart, with the demo's tokenizer.</summary>
    internal string RandomModel(string family, string more)
    {
        string config = NewPath("config"), folder = NewPath("model");
        Directory.CreateDirectory(config);
        foreach (string name in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            File.Copy(Path.Combine(Demo, name), Path.Combine(config, name));
        }

        File.WriteAllText(Path.Combine(config, "config.json"), $$"""
            {
              "model_type": "{{family}}", "vocab_size": 1024, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
              "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "initializer_range": 0.4, "torch_dtype": "float32", {{more}}
            }
            """);
        Run("init", "--model", config, "--output-dir", folder).MustExitWith(ExitCodes.Done);
        return folder;
    }

    /// <summary>Trains with small settings.</summary>
    internal CliRun Train(CliHost host, string output, params string[] more) => CliRun.With(
        host,
        ["train", "--model", Folder, "--dataset", Data, "--output-dir", output, "--max-steps", "6", "--per-device-train-batch-size", "4", "--learning-rate", "0.01",
            "--logging-steps", "1", "--r", "4", .. more]);

    public void Dispose() => _folder.Dispose();
}
