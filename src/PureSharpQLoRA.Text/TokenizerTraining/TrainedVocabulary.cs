using System.Text.Encodings.Web;
using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>A trained byte-level vocabulary.</summary>
public sealed class TrainedVocabulary
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };
    private readonly BytePairTrainerOptions _options;

    internal TrainedVocabulary(List<string> tokens, List<(string Left, string Right)> merges, BytePairTrainerOptions options) =>
        (Tokens, Merges, _options) = (tokens, merges, options);

    /// <summary>The tokens, by id: special tokens, the bytes, then what merges make.</summary>
    public IReadOnlyList<string> Tokens { get; }

    /// <summary>The merges, in the order they were learnt.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json, as Hugging Face's libraries read them.</summary>
    /// <param name="directory">The model folder; made if it is not there.</param>
    public void Save(string directory)
    {
        Directory.CreateDirectory(directory);
        Write(Path.Combine(directory, "tokenizer.json"), WriteTokenizer);
        Write(Path.Combine(directory, "special_tokens_map.json"), WriteNames);
        Write(Path.Combine(directory, "tokenizer_config.json"), writer =>
        {
            writer.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
            writer.WriteBoolean("clean_up_tokenization_spaces", false);
            WriteNames(writer);
            writer.WriteStartObject("added_tokens_decoder");
            string[] special = _options.SpecialTokens;
            for (int id = 0; id < special.Length; id++)
            {
                writer.WriteStartObject($"{id}");
                WriteAddedToken(writer, special[id]);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        });
    }

    private static void Write(string file, Action<Utf8JsonWriter> fields)
    {
        using FileStream stream = File.Create(file);
        using (var writer = new Utf8JsonWriter(stream, Indented))
        {
            writer.WriteStartObject();
            fields(writer);
            writer.WriteEndObject();
        }

        stream.Write("\n"u8);
    }

    private void WriteNames(Utf8JsonWriter writer)
    {
        foreach ((string name, string? token) in new[] { ("bos_token", _options.BosToken), ("eos_token", _options.EosToken), ("pad_token", _options.PadToken) })
        {
            if (token is not null)
            {
                writer.WriteString(name, token);
            }
        }

        if (_options.AdditionalSpecialTokens.Count > 0)
        {
            writer.WriteStartArray("additional_special_tokens");
            foreach (string token in _options.AdditionalSpecialTokens)
            {
                writer.WriteStringValue(token);
            }

            writer.WriteEndArray();
        }
    }

    private void WriteTokenizer(Utf8JsonWriter writer)
    {
        writer.WriteString("version", "1.0");
        writer.WriteNull("truncation");
        writer.WriteNull("padding");
        writer.WriteStartArray("added_tokens");
        string[] special = _options.SpecialTokens;
        for (int id = 0; id < special.Length; id++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", id);
            WriteAddedToken(writer, special[id]);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteNull("normalizer");
        writer.WritePropertyName("pre_tokenizer");
        WriteJson(writer, BytePairTrainer.PreTokenizerJson(_options.SplitDigits));
        writer.WritePropertyName("post_processor");
        WritePostProcessor(writer);
        writer.WritePropertyName("decoder");
        WriteJson(writer, """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""");
        writer.WriteStartObject("model");
        WriteModel(writer);
        writer.WriteEndObject();
    }

    private static void WriteAddedToken(Utf8JsonWriter writer, string content)
    {
        writer.WriteString("content", content);
        writer.WriteBoolean("single_word", false);
        writer.WriteBoolean("lstrip", false);
        writer.WriteBoolean("rstrip", false);
        writer.WriteBoolean("normalized", false);
        writer.WriteBoolean("special", true);
    }

    private void WritePostProcessor(Utf8JsonWriter writer)
    {
        if (_options.BosToken is not { } token)
        {
            WriteJson(writer, """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":true}""");
            return;
        }

        // Its id is 0: it is the first of the special tokens.
        string name = JsonSerializer.Serialize(token);
        string special = $$$"""{"SpecialToken":{"id":{{{name}}},"type_id":0}}""", first = """{"Sequence":{"id":"A","type_id":0}}""";
        WriteJson(writer, $$$"""
            {"type":"TemplateProcessing","single":[{{{special}}},{{{first}}}],"pair":[{{{special}}},{{{first}}},{"Sequence":{"id":"B","type_id":1}}],
            "special_tokens":{ {{{name}}}:{"id":{{{name}}},"ids":[0],"tokens":[{{{name}}}]} } }
            """);
    }

    private void WriteModel(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "BPE");
        writer.WriteNull("dropout");
        writer.WriteNull("unk_token");
        writer.WriteNull("continuing_subword_prefix");
        writer.WriteNull("end_of_word_suffix");
        writer.WriteBoolean("fuse_unk", false);
        writer.WriteBoolean("byte_fallback", false);
        writer.WriteBoolean("ignore_merges", false);
        writer.WriteStartObject("vocab");
        for (int id = 0; id < Tokens.Count; id++)
        {
            writer.WriteNumber(Tokens[id], id);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach ((string left, string right) in Merges)
        {
            writer.WriteStringValue($"{left} {right}");
        }

        writer.WriteEndArray();
    }

    private static void WriteJson(Utf8JsonWriter writer, string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        document.RootElement.WriteTo(writer);
    }
}
