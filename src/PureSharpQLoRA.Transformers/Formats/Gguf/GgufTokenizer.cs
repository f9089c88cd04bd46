using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The tokens that stand for no text, by id.</summary>
/// <param name="Begin">Begins a text, or null.</param>
/// <param name="End">Ends a text, or null.</param>
/// <param name="Unknown">For what the vocabulary cannot spell, or null.</param>
/// <param name="Padding">Fills rows up, or null.</param>
/// <param name="AddBegin">Whether texts get the first one before them.</param>
/// <param name="AddEnd">Whether texts get the second one behind them.</param>
public sealed record GgufSpecialTokens(int? Begin, int? End, int? Unknown, int? Padding, bool AddBegin, bool AddEnd);

/// <summary>
/// Turns a Hugging Face `tokenizer.json` into the metadata that GGUF keeps a tokenizer in. Byte-level vocabularies keep their merges ("gpt2"); vocabularies
/// in the manner of SentencePiece get scores ("llama"), by which readers merge: minus the rank of the first merge that makes a token.
/// </summary>
public sealed partial class GgufTokenizer
{
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, SingleByte = 6;

    private readonly string _file;
    private readonly string[] _tokens;
    private readonly int[] _types;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<(string Left, string Right)> _merges = [];
    private readonly bool _isByteLevel;
    private readonly string _preTokenizer = "";
    private readonly bool _addsSpace;

    private GgufTokenizer(string file, JsonElement root, int vocabularySize, string? preTokenizer)
    {
        _file = file;
        JsonElement model = Get(root, "model");
        string kind = model.TryGetProperty("type", out JsonElement type) ? type.GetString() ?? "" : "BPE";
        if (kind != "BPE")
        {
            throw new WeightFormatException(file, $"a tokenizer of the kind {kind} cannot be exported to GGUF, only BPE can");
        }

        _tokens = new string[vocabularySize];
        _types = new int[vocabularySize];
        foreach (JsonProperty entry in Get(model, "vocab").EnumerateObject())
        {
            Put(entry.Name, entry.Value.GetInt32(), Normal);
        }

        bool fallsBack = IsTrue(model, "byte_fallback");
        _isByteLevel = Mentions(root, "pre_tokenizer", "ByteLevel") || Mentions(root, "decoder", "ByteLevel");
        if (_isByteLevel == fallsBack)
        {
            throw new WeightFormatException(file, "the tokenizer is neither byte-level nor SentencePiece with byte fallback; GGUF has no place for another one");
        }

        ReadAddedTokens(root);
        foreach (JsonElement merge in Get(model, "merges").EnumerateArray())
        {
            string[] pair = merge.ValueKind == JsonValueKind.Array ? [.. merge.EnumerateArray().Select(part => part.GetString()!)] : merge.GetString()!.Split(' ');
            _merges.Add(pair.Length == 2 ? (pair[0], pair[1]) : throw new WeightFormatException(file, $"the merge '{merge.GetRawText()}' is not a pair"));
        }

        if (_isByteLevel)
        {
            _preTokenizer = preTokenizer ?? GgufPreTokenizers.Find(root) ?? throw new WeightFormatException(
                file, $"its way of splitting text into words has no name in GGUF; give one with --pre-tokenizer ({string.Join(", ", GgufPreTokenizers.Names)}, ...) if you know that it is the same");
        }
        else
        {
            _addsSpace = Mentions(root, "normalizer", "Prepend") || (Mentions(root, "pre_tokenizer", "Metaspace") && !HasText(Get(root, "pre_tokenizer"), "never"));
            MarkBytes(model);
        }

        for (int id = 0; id < vocabularySize; id++)
        {
            if (_tokens[id] is null)
            {
                // The embedding has more rows than there are tokens; every row needs a name of its own.
                (_tokens[id], _types[id]) = (string.Create(CultureInfo.InvariantCulture, $"[PAD{id}]"), Unused);
            }
        }
    }

    /// <summary>Reads the tokenizer of a model folder.</summary>
    /// <param name="folder">A folder with tokenizer.json.</param>
    /// <param name="vocabularySize">Rows of the embedding: so many tokens are written.</param>
    /// <param name="preTokenizer">The name GGUF has for the way of splitting text into words; null to find it.</param>
    /// <exception cref="WeightFormatException">There is none, or GGUF has no place for it.</exception>
    public static GgufTokenizer Read(string folder, int vocabularySize, string? preTokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string file = Path.Combine(folder, "tokenizer.json");
        try
        {
            return JsonFile.Read(file, root => new GgufTokenizer(file, root, vocabularySize, preTokenizer));
        }
        catch (FormatException error)
        {
            throw new WeightFormatException(file, "an id is not a whole number", inner: error);
        }
    }

    /// <summary>The name GGUF has for the way of splitting text into words; empty for SentencePiece.</summary>
    public string PreTokenizer => _preTokenizer;

    /// <summary>Writes the keys.</summary>
    internal void AddTo(GgufMetadata metadata, GgufSpecialTokens special)
    {
        metadata.Add("tokenizer.ggml.model", _isByteLevel ? "gpt2" : "llama");
        metadata.Add("tokenizer.ggml.pre", _isByteLevel ? _preTokenizer : "default");
        metadata.Add("tokenizer.ggml.tokens", _tokens);
        if (_isByteLevel)
        {
            metadata.Add("tokenizer.ggml.token_type", _types.AsSpan());
            metadata.Add("tokenizer.ggml.merges", [.. _merges.Select(merge => $"{merge.Left} {merge.Right}")]);
        }
        else
        {
            metadata.Add("tokenizer.ggml.scores", Scores().AsSpan());
            metadata.Add("tokenizer.ggml.token_type", _types.AsSpan());
            metadata.Add("tokenizer.ggml.add_space_prefix", _addsSpace);
        }

        AddId("tokenizer.ggml.bos_token_id", special.Begin);
        AddId("tokenizer.ggml.eos_token_id", special.End);
        AddId("tokenizer.ggml.unknown_token_id", special.Unknown);
        AddId("tokenizer.ggml.padding_token_id", special.Padding);
        metadata.Add("tokenizer.ggml.add_bos_token", special.AddBegin);
        metadata.Add("tokenizer.ggml.add_eos_token", special.AddEnd);

        void AddId(string key, int? id)
        {
            if (id is { } known)
            {
                metadata.Add(key, (uint)known);
            }
        }
    }

    private void Put(string token, int id, int type)
    {
        if ((uint)id >= (uint)_tokens.Length)
        {
            throw new WeightFormatException(_file, $"the token '{token}' has the id {id}, but the model's embedding has only {_tokens.Length} rows");
        }

        (_tokens[id], _types[id]) = (token, type);
        _ids[token] = id;
    }

    private void ReadAddedTokens(JsonElement root)
    {
        if (!root.TryGetProperty("added_tokens", out JsonElement added) || added.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        foreach (JsonElement token in added.EnumerateArray())
        {
            string content = Get(token, "content").GetString() ?? "";
            if (content.Length > 0)
            {
                // A token that the model knows keeps the model's id.
                int id = _ids.TryGetValue(content, out int known) ? known : Get(token, "id").GetInt32();
                Put(content, id, IsTrue(token, "special") ? Control : UserDefined);
            }
        }
    }

    private void MarkBytes(JsonElement model)
    {
        if (model.TryGetProperty("unk_token", out JsonElement unknown) && unknown.GetString() is { } text && _ids.TryGetValue(text, out int unknownId))
        {
            _types[unknownId] = Unknown;
        }

        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_types[id] == Normal && ByteToken().IsMatch(_tokens[id]))
            {
                _types[id] = SingleByte;
            }
        }
    }

    private float[] Scores()
    {
        var scores = new float[_tokens.Length];
        var isMade = new bool[_tokens.Length];
        int rank = 0;
        foreach ((string left, string right) in _merges)
        {
            if (_ids.TryGetValue(left + right, out int id) && !isMade[id])
            {
                // A token made by several merges counts by the first, as in SentencePiece, where tokens have ranks and pairs have none.
                (isMade[id], scores[id]) = (true, -rank);
                rank++;
            }
        }

        for (int id = 0; id < scores.Length; id++)
        {
            if (!isMade[id] && _types[id] == Normal)
            {
                scores[id] = -rank;
                rank++;
            }
        }

        return scores;
    }

    private JsonElement Get(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) ? value : throw new WeightFormatException(_file, $"the field '{name}' is missing");

    private static bool IsTrue(JsonElement parent, string name) => parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    /// <summary>Whether a component, or one inside it, is of a kind.</summary>
    private static bool Mentions(JsonElement root, string component, string kind) => root.TryGetProperty(component, out JsonElement value) && HasText(value, kind);

    private static bool HasText(JsonElement value, string text) => value.ValueKind switch
    {
        JsonValueKind.String => value.ValueEquals(text),
        JsonValueKind.Object => value.EnumerateObject().Any(member => HasText(member.Value, text)),
        JsonValueKind.Array => value.EnumerateArray().Any(item => HasText(item, text)),
        _ => false,
    };

    [GeneratedRegex("^<0x[0-9A-F]{2}>$", RegexOptions.CultureInvariant)]
    private static partial Regex ByteToken();
}
