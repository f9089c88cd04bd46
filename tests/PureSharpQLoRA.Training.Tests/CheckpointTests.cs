using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Checkpoints appear whole or not at all, and only the run they belong to goes on from them.</summary>
public sealed class CheckpointTests
{
    [Fact]
    public void Only_the_newest_checkpoints_are_kept_and_those_of_another_run_left_alone()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        Directory.CreateDirectory(folder.File("out", "checkpoint-100"));
        File.WriteAllText(folder.File("out", "checkpoint-100", "trainer_state.json"), "{}");
        Directory.CreateDirectory(folder.File("out", "checkpoint-notes"));
        using var run = new TinyRun(new TinySettings { ModelFolder = model, Options = TinyRun.Options(folder, 9) with { SaveSteps = 2, SaveTotalLimit = 2 } });
        run.Run();
        Assert.Equal(["checkpoint-100", "checkpoint-6", "checkpoint-8", "checkpoint-notes"], Names(folder.File("out")));
        Assert.Equal(4, run.Recorder.Checkpoints.Count);
        Assert.Equal(
            ["adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors", "trainer_state.json"], Names(folder.File("out", "checkpoint-8")));
    }

    [Fact]
    public void The_newest_checkpoint_is_the_one_with_most_steps()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Assert.Null(CheckpointStore.NewestIn(folder.File("none")));
        using (var run = new TinyRun(new TinySettings { ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 12) with { SaveSteps = 1 } }))
        {
            run.Run();
        }

        // Without its state a folder is no checkpoint.
        File.Delete(folder.File("out", "checkpoint-12", "trainer_state.json"));
        Assert.Equal(folder.File("out", "checkpoint-11"), CheckpointStore.NewestIn(folder.File("out")));
    }

    public static TheoryData<string, string> Differences => new()
    {
        { "data", "the training data differs" },
        { "cut", "the training data differs" },
        { "packing", "packing was off, not in rows of 32 tokens" },
        { "batch", "per_device_train_batch_size was 4, not 3" },
        { "accumulation", "gradient_accumulation_steps was 1, not 2" },
        { "seed", "seed was 42, not 7" },
        { "shuffle", "shuffle was True, not False" },
        { "targets", "it has 28 trained tensors, this run 4" },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void A_checkpoint_of_another_run_is_refused(string what, string message)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TinySettings settings = Saved(folder);
        int[] sevens = [7, 7, 7, 7];
        TinySettings other = what switch
        {
            "data" => settings with { Data = TinyRun.Examples(23, seed: 2) },
            "cut" => settings with { Data = TinyRun.Of(new Example(sevens[..3], sevens[..3]), new Example(sevens, sevens)) },
            "packing" => settings with { PackedLength = 32 },
            "batch" => settings with { Options = settings.Options with { BatchSize = 3 } },
            "accumulation" => settings with { Options = settings.Options with { GradientAccumulationSteps = 2 } },
            "seed" => settings with { Options = settings.Options with { Seed = 7 } },
            "shuffle" => settings with { Options = settings.Options with { Shuffle = false } },
            _ => settings with { Lora = settings.Lora! with { TargetModules = ["q_proj"] } },
        };
        if (what == "cut")
        {
            using var cut = new TinyRun(settings with
            {
                Data = TinyRun.Of(new Example(sevens, sevens), new Example(sevens[..3], sevens[..3])), Options = settings.Options with { SaveSteps = 2 },
            });
            cut.Run();
        }

        using var run = new TinyRun(other);
        TrainingException error = Assert.Throws<TrainingException>(() => run.Trainer.Resume(folder.File("out", "checkpoint-2")));
        Assert.Contains("checkpoint-2 does not belong to this run: " + message, error.Message, StringComparison.Ordinal);
        Assert.Contains("run.yaml", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trainer_state.json", "", "is damaged")]
    [InlineData("trainer_state.json", "{", "is damaged")]
    [InlineData("trainer_state.json", "null", "is damaged")]
    [InlineData("trainer_state.json", "{}", "is damaged")]
    [InlineData("trainer_state.json", "{\"State\":{\"global_step\":2}}", "is damaged")]
    [InlineData("trainer_state.json", "{\"State\":{\"global_step\":\"two\"},\"Identity\":{}}", "is damaged")]
    [InlineData("trainer_state.json", "{\"State\":{\"global_step\":-3},\"Identity\":{}}", "is damaged")]
    [InlineData("trainer_state.json", null, "is no checkpoint")]
    public void A_damaged_state_is_refused_and_nothing_is_overwritten(string file, string? content, string message)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TinySettings settings = Saved(folder);
        Replace(folder.File("out", "checkpoint-2", file), content);
        Dictionary<string, byte[]> before = Content(folder.File("out"));
        using var run = new TinyRun(settings);
        TrainingException error = Assert.Throws<TrainingException>(() => run.Trainer.Resume(folder.File("out", "checkpoint-2")));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("checkpoint-2", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(before, Content(folder.File("out")));
    }

    [Theory]
    [InlineData("adapter_model.safetensors", "truncated")]
    [InlineData("adapter_model.safetensors", "missing")]
    [InlineData("adapter_model.safetensors", "of another rank")]
    [InlineData("optimizer.safetensors", "truncated")]
    [InlineData("optimizer.safetensors", "missing")]
    [InlineData("optimizer.safetensors", "empty")]
    public void Damaged_weights_are_refused_and_nothing_is_overwritten(string file, string damage)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TinySettings settings = Saved(folder);
        string path = folder.File("out", "checkpoint-2", file);
        switch (damage)
        {
            case "truncated":
                File.WriteAllBytes(path, File.ReadAllBytes(path)[..^5]);
                break;
            case "empty":
                File.WriteAllBytes(path, []);
                break;
            case "missing":
                File.Delete(path);
                break;
            default:
                settings = settings with { Lora = settings.Lora! with { Rank = 5 } };
                break;
        }

        Dictionary<string, byte[]> before = Content(folder.File("out"));
        using var run = new TinyRun(settings);
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => run.Trainer.Resume(folder.File("out", "checkpoint-2")));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(before, Content(folder.File("out")));
    }

    [Fact]
    public void A_checkpoint_that_cannot_be_written_leaves_the_one_before_intact()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        TinySettings settings = new() { ModelFolder = model, Options = TinyRun.Options(folder, 8) with { SaveSteps = 2, SaveTotalLimit = 1 } };
        Directory.CreateDirectory(folder.File("out"));

        // A file where the folder is to be written stands for a disk that takes no more.
        File.WriteAllText(folder.File("out", ".checkpoint-4.tmp"), "in the way");
        using (var run = new TinyRun(settings))
        {
            Assert.Throws<IOException>(() => run.Run());
            Assert.Equal(4, run.Recorder.Steps.Count);
        }

        Assert.Equal([".checkpoint-4.tmp", "checkpoint-2"], Names(folder.File("out")));
        File.Delete(folder.File("out", ".checkpoint-4.tmp"));
        using var resumed = new TinyRun(settings);
        resumed.Trainer.Resume(folder.File("out", "checkpoint-2"));
        Assert.Equal(TrainingEnd.Completed, resumed.Run().End);
        Assert.Equal(["checkpoint-8"], Names(folder.File("out")));
    }

    [Fact]
    public void A_disk_that_fills_up_while_a_checkpoint_is_written_leaves_no_half_of_it()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            Options = TinyRun.Options(folder, 8) with { SaveSteps = 2, SaveTotalLimit = 1 },

            // A checkpoint downloads 28 adapter tensors and 56 moments: the second one breaks off in the middle of its moments.
            Wrap = inner => new FailingDownloads(inner, allowed: 84 + 40),
        });
        IOException error = Assert.Throws<IOException>(() => run.Run());
        Assert.Equal("No space left on device", error.Message);
        Assert.Equal(["checkpoint-2"], Names(folder.File("out")));
    }

    private static TinySettings Saved(TemporaryFolder folder)
    {
        var settings = new TinySettings { ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 3) };
        using var run = new TinyRun(settings with { Options = settings.Options with { SaveSteps = 2 } });
        run.Run();
        return settings;
    }

    private static void Replace(string path, string? content)
    {
        if (content is null)
        {
            File.Delete(path);
        }
        else
        {
            File.WriteAllText(path, content);
        }
    }

    private static string[] Names(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static Dictionary<string, byte[]> Content(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToDictionary(path => path, File.ReadAllBytes);

    private sealed class FailingDownloads(IBackend inner, int allowed) : DelegatingBackend(inner)
    {
        private int _downloads;

        public override void Download(Tensor from, Span<byte> to)
        {
            if (++_downloads > allowed)
            {
                throw new IOException("No space left on device");
            }

            base.Download(from, to);
        }
    }
}
