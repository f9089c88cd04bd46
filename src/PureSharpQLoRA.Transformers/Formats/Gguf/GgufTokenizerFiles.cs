using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Makes a tokenizer.json and a tokenizer_config.json from the metadata of a GGUF file. Byte-level vocabularies keep their merges there; for those in the manner
/// of SentencePiece the merges follow from the scores: every pair of tokens that makes a token, better scores first.
/// </summary>
internal sealed class GgufTokenizerFiles
{
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5;

    /// <summary>Of a token; every place in it is tried as the end of a merge's left half.</summary>
    private const int MostCharacters = 256;

    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly GgufFile _file;
    private readonly string[] _tokens;
    private readonly int[] _types;
    private readonly bool _isByteLevel;
    private readonly int? _begin;
    private readonly int? _end;

    private GgufTokenizerFiles(GgufFile file)
    {
        _file = file;
        string model = file.FindText("tokenizer.ggml.model") ?? throw new WeightFormatException(file.Path, "the file holds no tokenizer (tokenizer.ggml.model)");
        if (model is not ("llama" or "gpt2"))
        {
            throw new WeightFormatException(file.Path, $"its tokenizer is of the kind {model}, which is not supported; llama and gpt2 are");
        }

        _isByteLevel = model == "gpt2";
        _tokens = file.ReadTexts("tokenizer.ggml.tokens") ?? throw Wrong("tokenizer.ggml.tokens is missing");
        _types = [.. (file.ReadNumbers("tokenizer.ggml.token_type") ?? Enumerable.Repeat((double)Normal, _tokens.Length)).Select(type => (int)type)];
        if (_types.Length != _tokens.Length)
        {
            throw Wrong($"tokenizer.ggml.token_type has {_types.Length} elements for {_tokens.Length} tokens");
        }

        _begin = FindId("tokenizer.ggml.bos_token_id");
        _end = FindId("tokenizer.ggml.eos_token_id");
    }

    /// <summary>The texts of both files.</summary>
    /// <exception cref="WeightFormatException">The file holds no tokenizer, or one that is not supported.</exception>
    public static (string Tokenizer, string Config) Create(GgufFile file)
    {
        var files = new GgufTokenizerFiles(file);
        return (Write(files.WriteTokenizer), Write(files.WriteConfig));
    }

    private static string Write(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Json))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private void WriteTokenizer(Utf8JsonWriter json)
    {
        json.WriteString("version", "1.0");
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_types[id] is Unknown or Control or UserDefined)
            {
                json.WriteStartObject();
                json.WriteNumber("id", id);
                json.WriteString("content", _tokens[id]);
                json.WriteBoolean("special", _types[id] != UserDefined);
                json.WriteBoolean("normalized", false);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
        if (_isByteLevel)
        {
            WriteByteLevel(json);
        }
        else
        {
            WriteSentencePiece(json);
        }

        WritePostProcessor(json);
    }

    private void WriteByteLevel(Utf8JsonWriter json)
    {
        string name = _file.FindText("tokenizer.ggml.pre") ?? "default";
        (IReadOnlyList<string> patterns, bool ignoresMerges) = GgufPreTokenizers.Find(name)
            ?? throw Wrong($"its way of splitting text into words, {name} (tokenizer.ggml.pre), is not supported; {string.Join(", ", GgufPreTokenizers.Names)} are");
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (string pattern in patterns)
        {
            json.WriteStartObject();
            json.WriteString("type", "Split");
            json.WriteStartObject("pattern");
            json.WriteString("Regex", pattern);
            json.WriteEndObject();
            json.WriteString("behavior", "Isolated");
            json.WriteBoolean("invert", false);
            json.WriteEndObject();
        }

        WriteByteLevelStage(json, null);
        json.WriteEndArray();
        json.WriteEndObject();
        WriteByteLevelStage(json, "decoder");
        BeginModel(json);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", ignoresMerges);
        json.WriteStartArray("merges");
        foreach (string merge in _file.ReadTexts("tokenizer.ggml.merges") ?? throw Wrong("tokenizer.ggml.merges is missing"))
        {
            json.WriteStringValue(merge);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevelStage(Utf8JsonWriter json, string? property)
    {
        if (property is null)
        {
            json.WriteStartObject();
        }
        else
        {
            json.WriteStartObject(property);
        }

        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("use_regex", false);
        json.WriteEndObject();
    }

    private void WriteSentencePiece(Utf8JsonWriter json)
    {
        bool addsSpace = _file.FindBool("tokenizer.ggml.add_space_prefix") ?? true;
        json.WriteStartObject("normalizer");
        WriteSequence(json, "normalizers", [.. addsSpace ? (string[])["""{"type":"Prepend","prepend":"▁"}"""] : [], """{"type":"Replace","pattern":{"String":" "},"content":"▁"}"""]);
        json.WriteEndObject();
        json.WriteStartObject("decoder");
        WriteSequence(json, "decoders",
        [
            """{"type":"Replace","pattern":{"String":"▁"},"content":" "}""", """{"type":"ByteFallback"}""", """{"type":"Fuse"}""",
            .. addsSpace ? (string[])["""{"type":"Strip","content":" ","start":1,"stop":0}"""] : [],
        ]);
        json.WriteEndObject();
        BeginModel(json);
        int unknown = Array.IndexOf(_types, Unknown);
        if (unknown >= 0)
        {
            json.WriteString("unk_token", _tokens[unknown]);
        }

        json.WriteBoolean("byte_fallback", true);
        json.WriteBoolean("fuse_unk", true);
        json.WriteStartArray("merges");
        foreach ((string left, string right) in Merges())
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSequence(Utf8JsonWriter json, string name, string[] parts)
    {
        json.WriteString("type", "Sequence");
        json.WriteStartArray(name);
        foreach (string part in parts)
        {
            json.WriteRawValue(part);
        }

        json.WriteEndArray();
    }

    private void BeginModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteStartObject("vocab");
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_types[id] != Unused)
            {
                json.WriteNumber(_tokens[id], id);
            }
        }

        json.WriteEndObject();
    }

    /// <summary>The pairs of tokens that make a token, those of better scores first, of equal ones those of lower ids.</summary>
    private List<(string Left, string Right)> Merges()
    {
        double[] scores = _file.ReadNumbers("tokenizer.ggml.scores") ?? throw Wrong("tokenizer.ggml.scores is missing");
        if (scores.Length != _tokens.Length)
        {
            throw Wrong($"tokenizer.ggml.scores has {scores.Length} elements for {_tokens.Length} tokens");
        }

        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_types[id] == Normal)
            {
                ids[_tokens[id]] = id;
            }
        }

        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> bySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(string Left, string Right)>();
        foreach (int id in ids.Values.OrderByDescending(id => scores[id]).ThenBy(id => id))
        {
            string token = _tokens[id];
            if (token.Length > MostCharacters)
            {
                throw Wrong($"token {id} has {token.Length} characters, more than {MostCharacters}");
            }

            var pairs = new List<(int Left, int Right)>();
            for (int at = 1; at < token.Length; at++)
            {
                if (bySpan.TryGetValue(token.AsSpan(0, at), out int left) && bySpan.TryGetValue(token.AsSpan(at), out int right))
                {
                    pairs.Add((left, right));
                }
            }

            merges.AddRange(pairs.Order().Select(pair => (_tokens[pair.Left], _tokens[pair.Right])));
        }

        return merges;
    }

    private void WritePostProcessor(Utf8JsonWriter json)
    {
        // Where the file doesn't say, SentencePiece models begin with their first token, and byte-level ones don't.
        bool addsBegin = _begin is not null && (_file.FindBool("tokenizer.ggml.add_bos_token") ?? !_isByteLevel);
        bool addsEnd = _end is not null && (_file.FindBool("tokenizer.ggml.add_eos_token") ?? false);
        int[] around = [.. addsBegin ? [_begin!.Value] : (int[])[], .. addsEnd ? [_end!.Value] : (int[])[]];
        if (around.Length == 0)
        {
            return;
        }

        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        json.WriteStartArray("single");
        if (addsBegin)
        {
            WritePiece(json, "SpecialToken", _tokens[_begin!.Value]);
        }

        WritePiece(json, "Sequence", "A");
        if (addsEnd)
        {
            WritePiece(json, "SpecialToken", _tokens[_end!.Value]);
        }

        json.WriteEndArray();
        json.WriteStartObject("special_tokens");
        foreach (int id in around.Distinct())
        {
            json.WriteStartObject(_tokens[id]);
            json.WriteString("id", _tokens[id]);
            json.WriteStartArray("ids");
            json.WriteNumberValue(id);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WritePiece(Utf8JsonWriter json, string kind, string id)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteConfig(Utf8JsonWriter json)
    {
        WriteToken(json, "bos_token", _begin);
        WriteToken(json, "eos_token", _end);
        WriteToken(json, "unk_token", FindId("tokenizer.ggml.unknown_token_id"));
        WriteToken(json, "pad_token", FindId("tokenizer.ggml.padding_token_id"));
        if (_file.FindText("tokenizer.chat_template") is { } template)
        {
            json.WriteString("chat_template", template);
        }
    }

    private void WriteToken(Utf8JsonWriter json, string name, int? id)
    {
        if (id is { } known)
        {
            json.WriteString(name, _tokens[known]);
        }
    }

    private int? FindId(string key)
    {
        int? id = _file.FindInteger(key);
        return id is null || id < _tokens.Length ? id : throw Wrong($"{key} is {id}, but there are {_tokens.Length} tokens");
    }

    private WeightFormatException Wrong(string problem) => new(_file.Path, problem);
}
