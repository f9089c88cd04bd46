using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>A token that text is searched for before anything else happens to it.</summary>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special);

/// <summary>Finds added tokens in text: leftmost first, of those the longest.</summary>
internal sealed class AddedTokens
{
    private readonly Node _root = new();
    private readonly System.Buffers.SearchValues<char> _firstCharacters;

    /// <param name="tokens">The tokens, each with the text to search for.</param>
    public AddedTokens(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        foreach ((string text, AddedToken token) in tokens)
        {
            Node node = _root;
            foreach (char character in text)
            {
                ref Node? child = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(node.Children, character, out _);
                node = child ??= new Node();
            }

            node.Token = token;
        }

        _firstCharacters = System.Buffers.SearchValues.Create([.. _root.Children.Keys]);
    }

    /// <summary>A stretch of text: an added token, or (where that is null) text between them.</summary>
    public readonly record struct Segment(int Start, int End, AddedToken? Token);

    /// <summary>The "added_tokens" of a tokenizer.json.</summary>
    public static List<AddedToken> Load(JsonField? field, BytePairModel model)
    {
        var tokens = new List<AddedToken>();
        foreach (JsonField json in field?.Items() ?? [])
        {
            string content = json.Get("content").String();
            int id = json.Get("id").Int();
            if (id < 0 || id >= Tokenizer.LargestVocabulary)
            {
                throw json.Get("id").Wrong($"an id from 0 to {Tokenizer.LargestVocabulary - 1}");
            }

            if (content.Length > 0)
            {
                // A token that the model knows keeps the model's id.
                bool special = json.BoolOr("special", false);
                tokens.Add(new AddedToken(model.Find(content) ?? id, content, json.BoolOr("single_word", false),
                    json.BoolOr("lstrip", false), json.BoolOr("rstrip", false), json.BoolOr("normalized", !special), special));
            }
        }

        return tokens;
    }

    /// <summary>Adds segments that cover the whole text, none of them empty.</summary>
    public void Split(ReadOnlySpan<char> text, List<Segment> to)
    {
        int done = 0;
        for (int at = 0; at < text.Length;)
        {
            int candidate = text[at..].IndexOfAny(_firstCharacters);
            if (candidate < 0)
            {
                break;
            }

            at += candidate;
            if (LongestAt(text, at, out int end) is not { } token)
            {
                at++;
                continue;
            }

            (int start, at) = (at, end);
            if (token.SingleWord && ((start > 0 && IsWord(text[..start], last: true)) || (end < text.Length && IsWord(text[end..], last: false))))
            {
                continue;
            }

            if (token.StripLeft)
            {
                start = Math.Max(text[..start].TrimEnd().Length, done);
            }

            if (token.StripRight)
            {
                end = text.Length - text[end..].TrimStart().Length;
            }

            if (done < start)
            {
                to.Add(new Segment(done, start, null));
            }

            to.Add(new Segment(start, end, token));
            done = end;
        }

        if (done < text.Length)
        {
            to.Add(new Segment(done, text.Length, null));
        }
    }

    private AddedToken? LongestAt(ReadOnlySpan<char> text, int start, out int end)
    {
        AddedToken? longest = null;
        end = start;
        Node node = _root;
        for (int at = start; at < text.Length && node.Children.TryGetValue(text[at], out Node? child); at++)
        {
            node = child;
            if (node.Token is not null)
            {
                (longest, end) = (node.Token, at + 1);
            }
        }

        return longest;
    }

    /// <summary>Whether the last or first character is one of a word: alphabetic, mark, decimal digit, connector, joiner (Unicode TS 18, \w).</summary>
    private static bool IsWord(ReadOnlySpan<char> text, bool last)
    {
        Rune rune;
        _ = last ? Rune.DecodeLastFromUtf16(text, out rune, out _) : Rune.DecodeFromUtf16(text, out rune, out _);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
                or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => true,

            // Circled and squared letters count as alphabetic.
            UnicodeCategory.OtherSymbol => rune.Value is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
            _ => rune.Value is 0x200C or 0x200D,
        };
    }

    private sealed class Node
    {
        public Dictionary<char, Node> Children { get; } = [];

        public AddedToken? Token { get; set; }
    }
}
