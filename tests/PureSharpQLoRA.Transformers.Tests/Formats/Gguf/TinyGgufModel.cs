using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats.Gguf;

/// <summary>A Llama of one block with Llama 3's rotary factors and a tokenizer, as a GGUF file.</summary>
internal static class TinyGgufModel
{
    private const int Width = 32;

    /// <summary>Writes it.</summary>
    /// <returns>Where its data begins.</returns>
    public static int Write(string path, bool isByteLevel)
    {
        string[] tokens = [.. isByteLevel ? ["<|end|>", "a", "b", "c", "ab", "abc"] : (string[])["<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "▁", "▁a", "ab", "▁ab"]];
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", "llama");
        metadata.Add("llama.context_length", 128u);
        metadata.Add("llama.embedding_length", Width);
        metadata.Add("llama.block_count", 1u);
        metadata.Add("llama.feed_forward_length", 64u);
        metadata.Add("llama.attention.head_count", 4u);
        metadata.Add("llama.attention.head_count_kv", 2u);
        metadata.Add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        metadata.Add("llama.rope.freq_base", 10000f);
        metadata.Add("tokenizer.ggml.model", isByteLevel ? "gpt2" : "llama");
        metadata.Add("tokenizer.ggml.tokens", tokens);
        if (isByteLevel)
        {
            metadata.Add("tokenizer.ggml.pre", "llama-bpe");
            metadata.Add("tokenizer.ggml.token_type", [3, 1, 1, 1, 1, 1]);
            metadata.Add("tokenizer.ggml.merges", ["a b", "ab c"]);
            metadata.Add("tokenizer.ggml.eos_token_id", 0u);
        }
        else
        {
            metadata.Add("tokenizer.ggml.scores", [0f, 0f, 0f, 0f, -5f, -6f, -7f, 0f, -1f, -2f]);
            metadata.Add("tokenizer.ggml.token_type", [2, 3, 3, 6, 1, 1, 1, 1, 1, 1]);
            metadata.Add("tokenizer.ggml.bos_token_id", 1u);
            metadata.Add("tokenizer.ggml.eos_token_id", 2u);
        }

        metadata.Add("tokenizer.chat_template", "{{ messages }}");
        GgufDeclaration[] tensors =
        [
            new("rope_freqs.weight", GgufTensorType.Float32, 4),
            new("token_embd.weight", GgufTensorType.Q80, tokens.Length, Width),
            new("blk.0.attn_norm.weight", GgufTensorType.Float32, Width),
            new("blk.0.attn_q.weight", GgufTensorType.Q40, Width, Width),
            new("blk.0.attn_k.weight", GgufTensorType.Float16, 16, Width),
            new("blk.0.attn_v.weight", GgufTensorType.BFloat16, 16, Width),
        ];
        using var writer = new GgufWriter(path, metadata, tensors);
        float[] factors = Factors();
        foreach (GgufDeclaration tensor in tensors)
        {
            var bytes = new byte[tensor.Bytes];
            GgufCodec.Encode(tensor.Type, tensor.Name.StartsWith("rope", StringComparison.Ordinal) ? factors : SmallGguf.Values(tensor), bytes);
            writer.Write(tensor.Name, bytes);
        }

        writer.Complete();
        return (int)writer.DataStart;
    }

    /// <summary>Makes its small files, opens it as a checkpoint and reads every weight.</summary>
    public static void ReadAll(string path, string files)
    {
        using (GgufFile file = GgufFile.Open(path))
        {
            GgufModel.WriteFiles(file, files);
        }

        using CheckpointReader reader = CheckpointReader.Open(path);
        foreach (CheckpointTensor tensor in reader.Tensors.Values)
        {
            tensor.ReadFloats(0, new float[tensor.Entry.Count]);
            tensor.ReadBytes(0, new byte[tensor.Entry.Bytes]);
        }
    }

    private static float[] Factors()
    {
        float[] plain = RotaryScaling.Default(10000).Frequencies(8, 1), scaled = RotaryScaling.Llama3(10000, 8, 1, 4, 64).Frequencies(8, 1);
        return [.. plain.Zip(scaled, (before, after) => before / after)];
    }
}
