using System.Globalization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The names of weights in GGUF and in Hugging Face's models, and the order of rows in both.</summary>
internal static class GgufNames
{
    /// <summary>The tensor of factors on rotary frequencies.</summary>
    public const string RopeFactors = "rope_freqs.weight";

    private const string HuggingFaceBlock = "model.layers.";
    private const string GgufBlock = "blk.";

    private static readonly (string HuggingFace, string Gguf)[] Global =
    [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ];

    private static readonly (string HuggingFace, string Gguf)[] InBlock =
    [
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];

    /// <summary>The GGUF name of a weight, bias or module of Hugging Face's models, or null.</summary>
    public static string? ToGguf(string name) => Translate(name, HuggingFaceBlock, GgufBlock, Global, InBlock);

    /// <summary>The name that Hugging Face's models have for a GGUF tensor, or null.</summary>
    public static string? ToHuggingFace(string name) =>
        Translate(name, GgufBlock, HuggingFaceBlock, Global.Select(Swap), InBlock.Select(Swap));

    /// <summary>The heads whose rows are permuted in a weight or bias of a module; 0 where none are.</summary>
    public static int PermutedHeads(string huggingFaceName, GgufModelInfo model)
    {
        if (!model.PermutesQueriesAndKeys)
        {
            return 0;
        }

        return huggingFaceName.Contains(".self_attn.q_proj", StringComparison.Ordinal) ? model.Heads
            : huggingFaceName.Contains(".self_attn.k_proj", StringComparison.Ordinal) ? model.KeyValueHeads
            : 0;
    }

    /// <summary>The row of Hugging Face's layout that a row of GGUF's layout holds: a head's rows are [2, size / 2] there and [size / 2, 2] here.</summary>
    public static long SourceRow(long row, int headSize)
    {
        long head = row / headSize, inHead = row % headSize;
        return (head * headSize) + (inHead % 2 * (headSize / 2)) + (inHead / 2);
    }

    /// <summary>The row of GGUF's layout that a row of Hugging Face's layout is kept in.</summary>
    public static long StoredRow(long row, int headSize)
    {
        long head = row / headSize, inHead = row % headSize;
        return (head * headSize) + (inHead % (headSize / 2) * 2) + (inHead / (headSize / 2));
    }

    private static (string, string) Swap((string HuggingFace, string Gguf) pair) => (pair.Gguf, pair.HuggingFace);

    private static string? Translate(
        string name, string fromBlock, string toBlock, IEnumerable<(string From, string To)> global, IEnumerable<(string From, string To)> inBlock)
    {
        string prefix = "", rest = name;
        IEnumerable<(string From, string To)> parts = global;
        if (name.StartsWith(fromBlock, StringComparison.Ordinal))
        {
            int dot = name.IndexOf('.', fromBlock.Length);
            if (dot < 0 || !int.TryParse(name.AsSpan(fromBlock.Length, dot - fromBlock.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            {
                return null;
            }

            prefix = string.Create(CultureInfo.InvariantCulture, $"{toBlock}{layer}.");
            rest = name[(dot + 1)..];
            parts = inBlock;
        }

        foreach ((string from, string to) in parts)
        {
            if (rest == from || rest == from + ".weight" || rest == from + ".bias")
            {
                return prefix + to + rest[from.Length..];
            }
        }

        return null;
    }
}
