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
    public int? Find(string name, Tokenizer tokenizer)
    {
        foreach (JsonField? file in (JsonField?[])[_tokenizerConfig, _specialTokensMap])
        {
            if (file?.Find($"{name}_token") is not { } field)
            {
                continue;
            }

            string text = field.Element.ValueKind == JsonValueKind.Object ? field.Get("content").String() : field.String();
            return tokenizer.TokenId(text) ?? throw field.Wrong("a token that tokenizer.json holds");
        }

        foreach (JsonField? file in (JsonField?[])[_generationConfig, _modelConfig])
        {
            if (file?.Find($"{name}_token_id") is { } field)
            {
                // Models that may end in several ways list the ids.
                return field.Element.ValueKind == JsonValueKind.Array ? field.Items().FirstOrDefault() is { File: not null } first ? first.Int() : null : field.Int();
            }
        }

        return null;
    }
}
