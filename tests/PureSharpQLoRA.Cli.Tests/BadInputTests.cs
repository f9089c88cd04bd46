using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class BadInputTests(TinyModel model) : IClassFixture<TinyModel>
{
    /// <summary>What is spoilt, and what the one line must say.</summary>
    public static TheoryData<string, string> Cases => new()
    {
        { "no model folder", "There is no model folder or config.json at" },
        { "no config", "is no model folder: it has no config.json." },
        { "no weights", "has neither model.safetensors nor model.safetensors.index.json" },
        { "no tokenizer", "tokenizer.json: no such file; a model folder needs one" },
        { "truncated weights", "was the download cut off?" },
        { "no data", "nowhere.jsonl: no such file" },
        { "data is no JSON", "data.jsonl:2" },
        { "data without fields", "data.jsonl:1" },
        { "labels all -100", "nothing is to be learnt: every label is -100" },
        { "empty data", "there are no records" },
        { "adapter elsewhere", "the adapter folder does not exist" },
        { "wrong target", "target_modules: 'w_proj' names no linear layer of the model" },
        { "cuda", "--device cuda: No NVIDIA driver is installed (libcuda.so.1 was not found). Use --device cpu." },
        { "no checkpoint", "--resume-from-checkpoint: " },
        { "output is a file", "is a file; name a folder." },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bad_input_is_one_line_and_leaves_nothing_behind(string spoilt, string message)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Directory.CreateDirectory(folder.File("model"));
        foreach (string file in Directory.EnumerateFiles(model.Folder))
        {
            File.Copy(file, folder.File("model", Path.GetFileName(file)));
        }

        File.Copy(model.Data, folder.File("data.jsonl"));
        string[] more = Spoil(folder, spoilt);

        CliRun run = model.Run(
            ["train", "--model", folder.File(spoilt == "no model folder" ? "nowhere" : "model"), "--dataset", folder.File(spoilt == "no data" ? "nowhere.jsonl" : "data.jsonl"),
                "--output-dir", folder.File("run"), "--max-steps", "1", .. more]);

        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.True(!Directory.Exists(folder.File("run")) || !Directory.EnumerateFileSystemEntries(folder.File("run")).Any());
    }

    private static string[] Spoil(TemporaryFolder folder, string what)
    {
        switch (what)
        {
            case "no config":
                File.Delete(folder.File("model", "config.json"));
                break;
            case "no weights":
                File.Delete(folder.File("model", "model.safetensors"));
                break;
            case "no tokenizer":
                File.Delete(folder.File("model", "tokenizer.json"));
                break;
            case "truncated weights":
                using (var weights = new FileStream(folder.File("model", "model.safetensors"), FileMode.Open))
                {
                    weights.SetLength(400);
                }

                break;
            case "data is no JSON":
                File.WriteAllText(folder.File("data.jsonl"), "{\"text\": \"a b c d\"}\n{\"text\": \n");
                break;
            case "data without fields":
                File.WriteAllText(folder.File("data.jsonl"), "{\"words\": \"a b c d\"}\n");
                break;
            case "labels all -100":
                File.WriteAllText(folder.File("data.jsonl"), "{\"input_ids\": [1, 2, 3], \"labels\": [-100, -100, -100]}\n");
                break;
            case "empty data":
                File.WriteAllText(folder.File("data.jsonl"), "");
                break;
            case "output is a file":
                File.WriteAllText(folder.File("run"), "");
                break;
            case "adapter elsewhere":
                return ["--init-adapter", folder.File("nowhere")];
            case "wrong target":
                return ["--target-modules", "q_proj,w_proj"];
            case "cuda":
                return ["--device", "cuda"];
            case "no checkpoint":
                return ["--resume-from-checkpoint", "last"];
        }

        return [];
    }
}
