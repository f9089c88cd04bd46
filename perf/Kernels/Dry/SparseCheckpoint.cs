using System.Text;
using System.Text.Json;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>
/// A checkpoint of a Llama in bitsandbytes' 4-bit format whose weights are holes: the file has its full length and takes a few pages of the disk. Linear
/// layers are NF4, everything else bf16, as a QLoRA run begins from.
/// </summary>
internal static class SparseCheckpoint
{
    /// <summary>Writes model.safetensors into a folder.</summary>
    public static void Write(string folder, ModelDescription sizes)
    {
        var header = new Dictionary<string, object>();
        var contents = new List<(long Offset, byte[] Bytes)>();
        long end = 0;
        foreach (InitialWeight weight in LlamaWeights.Of(sizes))
        {
            long count = weight.Shape.Aggregate(1L, (product, extent) => product * extent);
            if (weight.Values != InitialValues.Normal || !weight.Name.Contains(".layers.", StringComparison.Ordinal))
            {
                Add(weight.Name, "BF16", weight.Shape, 2 * count);
                continue;
            }

            long blocks = Nf4Format.Blocks(count);
            byte[] state = Encoding.UTF8.GetBytes(
                $$"""{"quant_type": "nf4", "blocksize": {{Nf4Format.BlockSize}}, "dtype": "bfloat16", "shape": [{{weight.Shape[0]}}, {{weight.Shape[1]}}]}""");
            Add(weight.Name, "U8", [count / 2, 1], count / 2);
            Add($"{weight.Name}.absmax", "F32", [blocks], sizeof(float) * blocks);
            Add($"{weight.Name}.quant_map", "F32", [Nf4Format.Levels.Length], sizeof(float) * Nf4Format.Levels.Length, Levels());
            Add($"{weight.Name}.quant_state.bitsandbytes__nf4", "U8", [state.Length], state.Length, state);
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        using var file = new FileStream(Path.Combine(folder, CheckpointReader.SingleFileName), FileMode.Create, FileAccess.Write);
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        long start = file.Position;
        foreach ((long offset, byte[] bytes) in contents)
        {
            file.Position = start + offset;
            file.Write(bytes);
        }

        file.SetLength(start + end);

        void Add(string name, string type, IReadOnlyList<long> shape, long bytes, byte[]? content = null)
        {
            header.Add(name, new { dtype = type, shape, data_offsets = new[] { end, end + bytes } });
            if (content is not null)
            {
                contents.Add((end, content));
            }

            end += bytes;
        }
    }

    private static byte[] Levels() => System.Runtime.InteropServices.MemoryMarshal.AsBytes(Nf4Format.Levels).ToArray();
}
