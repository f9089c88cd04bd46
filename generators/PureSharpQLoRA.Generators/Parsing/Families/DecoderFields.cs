using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>The fields that all decoder-only families share, with the defaults of transformers where a family's config class has one.</summary>
internal sealed class DecoderFields
{
    // No model comes near these; within them, the bytes of a memory plan cannot overflow.
    private const int MostTokens = 1 << 24;
    private const int MostWidth = 1 << 18;
    private const int MostInner = 1 << 20;
    private const int MostLayers = 1024;

    /// <summary>max_position_embeddings where the config has none.</summary>
    public int DefaultMaxPositions { get; init; }

    /// <summary>head_dim where the config has none; 0 for hidden_size / num_attention_heads.</summary>
    public int DefaultHeadSize { get; init; }

    /// <summary>Whether num_key_value_heads may be absent and is then num_attention_heads.</summary>
    public bool KeyValueHeadsMayBeAbsent { get; init; }

    public ModelSpec Read(ConfigReader config)
    {
        CheckActivation(config);
        int hidden = config.RequiredInteger("hidden_size", 1, MostWidth);
        int heads = config.RequiredInteger("num_attention_heads", 1, 65536);
        int maxPositions = config.Integer("max_position_embeddings", 1, 1 << 28, DefaultMaxPositions);
        return new ModelSpec
        {
            VocabularySize = config.RequiredInteger("vocab_size", 1, MostTokens),
            HiddenSize = hidden,
            IntermediateSize = config.RequiredInteger("intermediate_size", 1, MostInner),
            Layers = config.RequiredInteger("num_hidden_layers", 1, MostLayers),
            Heads = heads,
            KeyValueHeads = ReadKeyValueHeads(config, heads),
            HeadSize = ReadHeadSize(config, hidden, heads),
            MaxPositions = maxPositions,
            NormEpsilon = config.Number("rms_norm_eps", above: 0, fallback: 1e-6),
            TiedEmbeddings = config.Boolean("tie_word_embeddings", fallback: false),
            Rotary = RotaryFields.Read(config, maxPositions, defaultTheta: 10000),
        };
    }

    private static void CheckActivation(ConfigReader config)
    {
        if (config.String("hidden_act") is { } activation && activation is not ("silu" or "swish"))
        {
            config.Unsupported("hidden_act", config.Peek("hidden_act")!, "only \"silu\" is");
        }
    }

    private int ReadKeyValueHeads(ConfigReader config, int heads)
    {
        const string Name = "num_key_value_heads";
        bool fallsBack = KeyValueHeadsMayBeAbsent || config.Mentions(Name);
        int keyValueHeads = fallsBack ? config.Integer(Name, 1, 65536, heads) : config.RequiredInteger(Name, 1, 65536);
        if (!config.HasErrors && heads % keyValueHeads != 0)
        {
            config.Contradiction(Name, $"'num_attention_heads' ({heads}) must be a multiple of '{Name}' ({keyValueHeads})");
        }

        return keyValueHeads;
    }

    private int ReadHeadSize(ConfigReader config, int hidden, int heads)
    {
        int headSize = config.Integer("head_dim", 1, 65536, fallback: 0);
        if (config.HasErrors)
        {
            return 2;
        }

        if (headSize == 0)
        {
            headSize = DefaultHeadSize;
        }

        if (headSize == 0)
        {
            if (hidden % heads != 0)
            {
                config.Contradiction(
                    "hidden_size", $"'hidden_size' ({hidden}) must be a multiple of 'num_attention_heads' ({heads}), or 'head_dim' must be given");
                return 2;
            }

            headSize = hidden / heads;
        }

        if (headSize % 2 != 0)
        {
            config.Contradiction(
                config.Has("head_dim") ? "head_dim" : "hidden_size",
                $"A head has {headSize} values, but rotary position embedding turns pairs and needs an even number");
        }
        else if ((long)headSize * heads > MostInner)
        {
            config.Contradiction("num_attention_heads", $"{heads} heads of {headSize} values are more than {MostInner} together");
        }

        return headSize;
    }
}
