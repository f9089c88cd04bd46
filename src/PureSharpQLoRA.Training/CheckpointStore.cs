using System.Globalization;
using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training;

/// <summary>Writes and reads checkpoint-N folders: weights, moments, and the state of the run. A folder appears under its name only when complete.</summary>
internal sealed class CheckpointStore(
    string outputDirectory, CausalLanguageModel model, AdamWOptimizer optimizer, string dataFingerprint, TrainingOptions options, int? packedLength)
{
    private const string Prefix = "checkpoint-";
    private const string MomentsFile = "optimizer.safetensors";
    private const string StateFile = "trainer_state.json";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>The folder of a step's checkpoint.</summary>
    public string Folder(int step) => Path.Combine(outputDirectory, Prefix + step.ToString(CultureInfo.InvariantCulture));

    /// <summary>The folder of the newest checkpoint, or null.</summary>
    public string? Newest() => NewestIn(outputDirectory);

    /// <summary>The newest complete checkpoint in an output directory, or null.</summary>
    public static string? NewestIn(string directory) => InOrder(directory).LastOrDefault();

    /// <summary>Writes the weights alone: an adapter as PEFT does, or a whole model.</summary>
    public void SaveWeights(string folder)
    {
        if (model.TrainsAllWeights)
        {
            ModelFiles.Save(model, folder, SafetensorsType.Float32);
        }
        else
        {
            model.Adapters.Save(model.Adapters.Active!.Name, folder);
        }
    }

    /// <summary>Writes a checkpoint and deletes the oldest ones over the limit.</summary>
    public string Save(TrainerState state)
    {
        string final = Folder(state.Step), temporary = Path.Combine(outputDirectory, $".{Prefix}{state.Step}.tmp");
        if (Directory.Exists(temporary))
        {
            Directory.Delete(temporary, recursive: true);
        }

        Directory.CreateDirectory(temporary);
        try
        {
            SaveWeights(temporary);
            SaveMoments(Path.Combine(temporary, MomentsFile));
            AtomicFile.WriteText(Path.Combine(temporary, StateFile), JsonSerializer.Serialize(new StoredState(state, Identity()), Json));
            if (Directory.Exists(final))
            {
                Directory.Delete(final, recursive: true);
            }

            Directory.Move(temporary, final);
        }
        catch
        {
            // A full disk should not stay full.
            Directory.Delete(temporary, recursive: true);
            throw;
        }

        DeleteOldest(state.Step);
        return final;
    }

    /// <summary>Reads a checkpoint into the model and the optimizer.</summary>
    /// <exception cref="TrainingException">It is incomplete, damaged, or of another run.</exception>
    public TrainerState Load(string folder)
    {
        string stateFile = Path.Combine(folder, StateFile);
        if (!File.Exists(stateFile))
        {
            throw new TrainingException($"{folder} is no checkpoint: it has no {StateFile}. Name a checkpoint-N folder, or 'last'.");
        }

        StoredState stored = ReadState(stateFile);
        Check(folder, stored.Identity);
        using (SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(folder, model.TrainsAllWeights ? ModelFiles.WeightsFile : PeftAdapterFile.WeightsFileName)))
        {
            foreach (ParameterState parameter in optimizer.States)
            {
                string name = model.TrainsAllWeights ? parameter.Parameter.Name : AdapterSet.FileKeyPrefix + parameter.Parameter.Name;
                TensorFiles.Read(weights, name, parameter.Parameter.Value, model.Backend);
            }
        }

        using (SafetensorsFile moments = SafetensorsFile.Open(Path.Combine(folder, MomentsFile)))
        {
            foreach (ParameterState parameter in optimizer.States)
            {
                foreach ((string ending, Tensor tensor) in parameter.Stored)
                {
                    TensorFiles.Read(moments, parameter.Parameter.Name + ending, tensor, model.Backend);
                }
            }
        }

        optimizer.Step = stored.State.Step;
        return stored.State;
    }

    private static StoredState ReadState(string path)
    {
        try
        {
            StoredState? stored = JsonSerializer.Deserialize<StoredState>(File.ReadAllText(path));
            return stored is { State.Step: >= 0, Identity: not null } ? stored : throw new JsonException("it lacks fields that every checkpoint has");
        }
        catch (JsonException error)
        {
            throw new TrainingException($"{path} is damaged: {error.Message}. Resume from an earlier checkpoint.", error);
        }
    }

    private static IEnumerable<string> InOrder(string directory, int lastStep = int.MaxValue)
    {
        if (!Directory.Exists(directory))
        {
            return [];
        }

        return Directory.EnumerateDirectories(directory, Prefix + "*")
            .Select(folder => (Folder: folder, Known: int.TryParse(Path.GetFileName(folder)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int step), Step: step))
            .Where(entry => entry.Known && entry.Step <= lastStep && File.Exists(Path.Combine(entry.Folder, StateFile)))
            .OrderBy(entry => entry.Step)
            .Select(entry => entry.Folder);
    }

    private void SaveMoments(string path)
    {
        (string Name, Tensor Tensor)[] stored =
            [.. optimizer.States.SelectMany(state => state.Stored.Select(entry => (state.Parameter.Name + entry.Ending, entry.Tensor)))];
        using var writer = new SafetensorsWriter(path, [.. stored.Select(entry => TensorFiles.Declare(entry.Name, entry.Tensor, TypeOf(entry.Tensor)))]);
        foreach ((string name, Tensor tensor) in stored)
        {
            TensorFiles.Write(writer, name, tensor, model.Backend, TypeOf(tensor));
        }

        writer.Complete();
    }

    /// <summary>What must be the same for a resumed run to continue bit for bit.</summary>
    private RunIdentity Identity() => new(
        dataFingerprint, packedLength, options.BatchSize, options.GradientAccumulationSteps, options.Seed, options.Shuffle, optimizer.States.Count,
        options.Optimizer);

    private void Check(string folder, RunIdentity stored)
    {
        RunIdentity now = Identity();
        string? difference =
            stored.Data != now.Data ? "the training data differs" :
            stored.PackedLength != now.PackedLength ? $"packing was {Packing(stored)}, not {Packing(now)}" :
            stored.BatchSize != now.BatchSize ? $"per_device_train_batch_size was {stored.BatchSize}, not {now.BatchSize}" :
            stored.GradientAccumulationSteps != now.GradientAccumulationSteps
                ? $"gradient_accumulation_steps was {stored.GradientAccumulationSteps}, not {now.GradientAccumulationSteps}" :
            stored.Seed != now.Seed ? $"seed was {stored.Seed}, not {now.Seed}" :
            stored.Shuffle != now.Shuffle ? $"shuffle was {stored.Shuffle}, not {now.Shuffle}" :
            stored.Optimizer != now.Optimizer ? $"optim was {NameOf(stored.Optimizer)}, not {NameOf(now.Optimizer)}" :
            stored.Parameters != now.Parameters ? $"it has {stored.Parameters} trained tensors, this run {now.Parameters}" : null;
        if (difference is not null)
        {
            throw new TrainingException($"{folder} does not belong to this run: {difference}. Use the settings of its run.yaml.");
        }
    }

    private static string NameOf(OptimizerType type) => type == OptimizerType.AdamW8Bit ? "adamw_bnb_8bit" : "adamw_torch";

    private static SafetensorsType TypeOf(Tensor tensor) => tensor.DataType == DataType.UInt8 ? SafetensorsType.UInt8 : SafetensorsType.Float32;

    private static string Packing(RunIdentity identity) => identity.PackedLength is { } length ? $"in rows of {length} tokens" : "off";

    /// <summary>Deletes the oldest checkpoints over the limit; later steps than the present one are another run's and don't count.</summary>
    private void DeleteOldest(int step)
    {
        if (options.SaveTotalLimit <= 0)
        {
            return;
        }

        string[] folders = [.. InOrder(outputDirectory, step)];
        for (int i = 0; i < folders.Length - options.SaveTotalLimit; i++)
        {
            Directory.Delete(folders[i], recursive: true);
        }
    }

    private sealed record RunIdentity(
        string Data, int? PackedLength, int BatchSize, int GradientAccumulationSteps, ulong Seed, bool Shuffle, int Parameters,
        OptimizerType Optimizer = OptimizerType.AdamW);

    private sealed record StoredState(TrainerState State, RunIdentity Identity);
}
