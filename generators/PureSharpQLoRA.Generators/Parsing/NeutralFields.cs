using System.Globalization;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>Fields that change the mathematics unless they have their neutral value, for families that do not read them.</summary>
internal static class NeutralFields
{
    private static readonly string[] MustBeOne =
    [
        "pretraining_tp", "partial_rotary_factor", "rotary_pct", "rope_pct",
        "embedding_multiplier", "residual_multiplier", "logits_scaling", "logit_scale",
    ];

    private static readonly string[] MustBeZero =
    [
        "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop",
        "num_local_experts", "num_experts", "n_routed_experts", "num_nextn_predict_layers",
    ];

    private static readonly string[] MustBeFalse =
    [
        "attention_bias", "mlp_bias", "qkv_bias", "use_bias", "lm_head_bias",
        "is_encoder_decoder", "add_cross_attention", "use_mrope", "rope_interleaved", "rope_interleave",
        "use_qk_norm", "qk_layernorm", "use_parallel_residual", "parallel_attn", "alibi",
    ];

    private static readonly string[] MustBeAbsent =
    [
        "attn_logit_softcapping", "final_logit_softcapping", "logits_soft_cap", "clip_qkv",
        "query_pre_attn_scalar", "attention_multiplier", "attention_chunk_size", "no_rope_layers", "no_rope_layer_interval",
    ];

    public static void Check(ConfigReader config)
    {
        Check(config, MustBeOne, node => IsNumber(node, 1), "only 1 is");
        Check(config, MustBeZero, node => IsNumber(node, 0), "only 0 is");
        Check(config, MustBeFalse, node => node.Kind == JsonKind.Boolean && node.Text == "false", "only false is");
        Check(config, MustBeAbsent, _ => false, "only models without it are");
    }

    private static void Check(ConfigReader config, string[] names, Func<JsonNode, bool> isNeutral, string supported)
    {
        foreach (string name in names)
        {
            if (!config.WasRead(name) && config.Peek(name) is { } node && !isNeutral(node))
            {
                config.Unsupported(name, node, supported);
            }
        }
    }

    private static bool IsNumber(JsonNode node, double wanted) =>
        node.Kind == JsonKind.Number
        && double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
        && value == wanted;
}
