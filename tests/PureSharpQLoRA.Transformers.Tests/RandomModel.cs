using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>A model folder with random weights for a config: large enough that every part of the model shows in its logits.</summary>
internal static class RandomModel
{
    /// <summary>The weights by name, the same for the same seed.</summary>
    public static Dictionary<string, float[]> Weights(ModelConfig config, ulong seed) =>
        config.Tensors().ToDictionary(tensor => tensor.Name, tensor => Values(tensor.Name, tensor.Shape, seed));

    /// <summary>Writes config.json and model.safetensors (F32) into a new folder.</summary>
    public static string Write(TemporaryFolder parent, string configPath, ulong seed = 1, string name = "model")
    {
        string folder = parent.File(name);
        Directory.CreateDirectory(folder);
        File.Copy(configPath, Path.Combine(folder, "config.json"));
        ModelConfig config = ModelConfig.Read(configPath);
        using var writer = new SafetensorsWriter(
            Path.Combine(folder, CheckpointReader.SingleFileName),
            config.Tensors().Select(tensor => new SafetensorsDeclaration(tensor.Name, SafetensorsType.Float32, [.. tensor.Shape.Select(extent => (long)extent)])));
        foreach ((string tensor, float[] values) in Weights(config, seed))
        {
            writer.Write(tensor, values);
        }

        writer.Complete();
        return folder;
    }

    private static float[] Values(string name, int[] shape, ulong seed)
    {
        ulong stream = Philox.Mix(seed, name);
        bool norm = name.Contains("norm.", StringComparison.Ordinal);
        float scale = norm || name.EndsWith(".bias", StringComparison.Ordinal) ? 0.3f : 1.5f / MathF.Sqrt(shape[^1]);
        var values = new float[shape.Aggregate(1, (product, extent) => product * extent)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (norm ? 1 : 0) + (scale * Philox.Normal(stream, (ulong)i));
        }

        return values;
    }
}
