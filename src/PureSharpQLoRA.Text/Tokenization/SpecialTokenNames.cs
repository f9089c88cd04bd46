using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>Finds which tokens a model folder names as beginning, end, padding and unknown.</summary>
internal sealed class SpecialTokenNames
{
    private readonly JsonField? _tokenizerConfig, _specialTokensMap, _generationConfig, _modelConfig;

    public SpecialTokenNames(string directory)
    {
        _tokenizerConfig = Open("tokenizer_config.json");
        _specialTokensMap = Open("special_tokens_map.json");
        _generationConfig = Open("generation_config.json");
        _modelConfig = Open("config.json");

        JsonField? Open(string name) => File.Exists(Path.Combine(directory, name)) ? JsonField.Read(Path.Combine(directory, name)) : null;
    }

    /// <summary>The id of the token that the tokenizer's files call NAME_token, else the id that the model's files give as NAME_token_id.</summary>
    /// <param name="name">"bos", "eos", "pad" or "unk".</param>
    /// <param name="tokenizer">Knows the tokens.</param>
    /// <param name="required">Whether a name without a token is an error; padding and unknown tokens that no vocabulary holds are common, and harmless.</param>
    public int? Find(string name, Tokenizer tokenizer, bool required)
    {
        foreach (JsonField? file in (JsonField?[])[_tokenizerConfig, _specialTokensMap])
        {
            if (file?.Find($"{name}_token") is not { } field)
            {
                continue;
            }

            string text = field.Element.ValueKind == JsonValueKind.Object ? field.Get("content").String() : field.String();
            if (text.Length > 0)
            {
                return tokenizer.TokenId(text) ?? (required ? throw field.Wrong("a token that tokenizer.json holds") : null);
            }
        }

        foreach (JsonField? file in (JsonField?[])[_generationConfig, _modelConfig])
        {
            if (file?.Find($"{name}_token_id") is { } field)
            {
                return FirstId(field);
            }
        }

        return null;
    }

    /// <summary>One id, or the first of several: models that may end in more than one way list them.</summary>
    private static int? FirstId(JsonField field)
    {
        if (field.Element.ValueKind != JsonValueKind.Array)
        {
            return field.Int();
        }

        foreach (JsonField item in field.Items())
        {
            return item.Int();
        }

        return null;
    }
}
