using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>Writes whole models whose weights were trained.</summary>
public static class ModelFiles
{
    /// <summary>The name of an unsharded weight file.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>Writes all weights, and copies config and tokenizer from the folder the model came from.</summary>
    /// <param name="model">Loaded with all weights trainable.</param>
    /// <param name="folder">Receives the files.</param>
    /// <param name="type">How weights are stored.</param>
    /// <exception cref="InvalidOperationException">The model's base is frozen: it has not changed, so there is nothing to write.</exception>
    public static void Save(CausalLanguageModel model, string folder, SafetensorsType type)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!model.TrainsAllWeights)
        {
            throw new InvalidOperationException("The weights of this model are frozen; save its adapter instead.");
        }

        Directory.CreateDirectory(folder);
        CompanionFiles.Copy(model.Folder, folder);
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        using var writer = new SafetensorsWriter(
            Path.Combine(folder, WeightsFile), model.Weights.Select(weight => TensorFiles.Declare(weight.Name, weight.Value, type)), metadata);
        foreach (Parameter weight in model.Weights)
        {
            TensorFiles.Write(writer, weight.Name, weight.Value, model.Backend, type);
        }

        writer.Complete();
    }
}
