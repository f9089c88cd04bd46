using System.Text.Json;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

/// <summary>A made-up checkpoint of two blocks.</summary>
internal static class SmallModel
{
    public static readonly (string Name, long[] Shape)[] Tensors =
    [
        ("model.embed_tokens.weight", [10, 48]),
        ("model.layers.0.input_layernorm.weight", [48]),
        ("model.layers.0.mlp.down_proj.weight", [48, 33]),
        ("model.layers.0.self_attn.q_proj.weight", [48, 48]),
        ("model.layers.1.self_attn.q_proj.weight", [7, 9]),
        ("model.norm.weight", [48]),
        ("lm_head.weight", [10, 48]),
    ];

    public static float[] Values(string name)
    {
        long count = Tensors.Single(tensor => tensor.Name == name).Shape.Aggregate(1L, (a, b) => a * b);
        var random = new Random(name.Sum(letter => letter));
        return [.. Enumerable.Range(0, (int)count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    /// <summary>Writes it as one file, or as shards with an index.</summary>
    public static string Write(TemporaryFolder parent, string name, int shards = 1)
    {
        string folder = parent.File(name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), "{\n  \"model_type\": \"llama\"\n}");
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");
        Dictionary<string, string> map = [];
        for (int shard = 0; shard < shards; shard++)
        {
            string file = shards == 1 ? CheckpointReader.SingleFileName : $"model-{shard + 1:00000}-of-{shards:00000}.safetensors";
            var mine = Tensors.Where((_, index) => index % shards == shard).ToArray();
            using var writer = new SafetensorsWriter(
                Path.Combine(folder, file), mine.Select(tensor => new SafetensorsDeclaration(tensor.Name, SafetensorsType.Float32, tensor.Shape)));
            foreach ((string tensor, _) in mine)
            {
                writer.Write(tensor, Values(tensor));
                map.Add(tensor, file);
            }

            writer.Complete();
        }

        if (shards > 1)
        {
            File.WriteAllText(Path.Combine(folder, CheckpointReader.IndexFileName), JsonSerializer.Serialize(new { weight_map = map }));
        }

        return folder;
    }
}
