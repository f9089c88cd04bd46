using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>Trains byte-level byte-pair vocabularies. The same texts and options give the same vocabulary, whatever the machine.</summary>
/// <remarks>
/// Sennrich, Haddow and Birch 2016: the pair that occurs most often becomes a token, again and again; of equally frequent pairs, the one with
/// the lower ids. Pair counts are kept up to date, so a merge costs only the words it occurs in.
/// </remarks>
public static class BytePairTrainer
{
    /// <summary>Trains on texts.</summary>
    /// <param name="texts">The texts; special tokens written in them are left out.</param>
    /// <param name="options">What kind of vocabulary to train.</param>
    /// <exception cref="ArgumentException">The vocabulary is too small for the special tokens and the 256 bytes, or a special token is empty.</exception>
    public static TrainedVocabulary Train(IEnumerable<string> texts, BytePairTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(options);
        string[] special = options.SpecialTokens;
        if (special.Contains(""))
        {
            throw new ArgumentException("A special token cannot be empty.", nameof(options));
        }

        int least = special.Length + 256;
        if (options.VocabularySize < least)
        {
            throw new ArgumentException($"A vocabulary of {options.VocabularySize} tokens cannot hold {special.Length} special tokens and 256 bytes; at least {least} are needed.", nameof(options));
        }

        var tokens = new List<string>(special);
        for (int value = 0; value < 256; value++)
        {
            tokens.Add(ByteAlphabet.ToChar((byte)value).ToString());
        }

        var merges = new List<(string Left, string Right)>();
        var learner = new MergeLearner(CountPieces(texts, options, special), special.Length);
        var ids = tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id, StringComparer.Ordinal);
        while (tokens.Count < options.VocabularySize && learner.MostFrequent(options.MinimumFrequency) is { } pair)
        {
            (string left, string right) = (tokens[pair.Left], tokens[pair.Right]);
            if (ids.TryAdd(left + right, tokens.Count))
            {
                tokens.Add(left + right);
            }

            learner.Merge(pair.Left, pair.Right, ids[left + right]);
            merges.Add((left, right));
        }

        return new TrainedVocabulary(tokens, merges, options);
    }

    /// <summary>The "pre_tokenizer" of the trained tokenizer, which training itself follows.</summary>
    internal static string PreTokenizerJson(bool splitDigits)
    {
        const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
        return splitDigits
            ? $$"""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{{ByteLevel}}]}"""
            : ByteLevel;
    }

    private static Dictionary<string, int> CountPieces(IEnumerable<string> texts, BytePairTrainerOptions options, string[] special)
    {
        using JsonDocument json = JsonDocument.Parse(PreTokenizerJson(options.SplitDigits));
        PreTokenizer[] preTokenizers = [.. PreTokenizer.Load(new JsonField(json.RootElement, "", "pre_tokenizer"))];
        var finder = new AddedTokens(special.Select((text, id) => (text, new AddedToken(id, text, false, false, false, false, true))));
        var counts = new Dictionary<string, int>();
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> bySpan = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        PieceBuffer pieces = new(), next = new();
        var segments = new List<AddedTokens.Segment>();
        var scratch = new List<PatternSpan>();
        foreach (string raw in texts)
        {
            string text = Tokenizer.WellFormed(raw);
            segments.Clear();
            finder.Split(text, segments);
            pieces.Clear();
            foreach (AddedTokens.Segment segment in segments)
            {
                if (segment.Token is null)
                {
                    pieces.Add(text.AsSpan(segment.Start, segment.End - segment.Start), default, segment.Start == 0);
                }
            }

            foreach (PreTokenizer preTokenizer in preTokenizers)
            {
                next.Clear();
                preTokenizer.Apply(pieces, next, scratch);
                (pieces, next) = (next, pieces);
            }

            for (int i = 0; i < pieces.Count; i++)
            {
                ReadOnlySpan<char> piece = pieces.Text(i);
                bySpan[piece] = bySpan.TryGetValue(piece, out int count) ? count + 1 : 1;
            }
        }

        return counts;
    }
}
