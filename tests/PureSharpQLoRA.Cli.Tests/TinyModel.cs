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

    /// <summary>Trains with small settings.</summary>
    internal CliRun Train(CliHost host, string output, params string[] more) => CliRun.With(
        host,
        ["train", "--model", Folder, "--dataset", Data, "--output-dir", output, "--max-steps", "6", "--per-device-train-batch-size", "4", "--learning-rate", "0.01",
            "--logging-steps", "1", "--r", "4", .. more]);

    public void Dispose() => _folder.Dispose();
}
