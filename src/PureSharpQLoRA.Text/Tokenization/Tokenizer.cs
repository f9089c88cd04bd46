using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Turns text into token ids and back, as a Hugging Face <c>tokenizer.json</c> with a byte-pair model defines it.</summary>
/// <remarks>
/// Thread-safe. The definition is Hugging Face's tokenizers library; the file's "truncation" and "padding" are settings of one use of it and
/// are not applied. Lone surrogates in text are read as U+FFFD.
/// </remarks>
public sealed class Tokenizer
{
    /// <summary>Ids from here up are taken for damage, not for a vocabulary.</summary>
    internal const int LargestVocabulary = 1 << 24;

    private readonly BytePairModel _model;
    private readonly Normalizer[] _normalizers;
    private readonly PreTokenizer[] _preTokenizers;
    private readonly PostProcessor _postProcessor;
    private readonly Func<TokenDecoder>[] _decoders;
    private readonly AddedTokens? _added, _addedNormalized;
    private readonly Dictionary<string, int> _addedIds = [];
    private readonly Dictionary<int, AddedToken> _addedById = [];
    private readonly Dictionary<int, string> _normalizedTexts = [];
    private readonly HashSet<string> _specialTexts = [];
    private readonly ConcurrentBag<Scratch> _scratches = [];

    private Tokenizer(JsonField json, SpecialTokenNames names)
    {
        _model = BytePairModel.Load(json.Get("model"));
        _normalizers = [.. Normalizer.Load(json.Find("normalizer"))];
        _preTokenizers = [.. PreTokenizer.Load(json.Find("pre_tokenizer"))];
        _postProcessor = PostProcessor.Load(json.Find("post_processor"));
        _decoders = [.. TokenDecoder.Load(json.Find("decoder"))];

        VocabularySize = _model.Size;
        foreach (AddedToken token in AddedTokens.Load(json.Find("added_tokens"), _model))
        {
            _addedIds[token.Content] = token.Id;
            _addedById[token.Id] = token;
            VocabularySize = Math.Max(VocabularySize, token.Id + 1);
            if (token.Normalized)
            {
                _normalizedTexts[token.Id] = Normalized(token.Content);
            }

            if (token.Special)
            {
                _specialTexts.Add(token.Content);
            }
        }

        _added = Finder(normalized: false);
        _addedNormalized = Finder(normalized: true);

        foreach (int id in (int[])[.. _postProcessor.Before, .. _postProcessor.After])
        {
            if (TokenText(id) is null)
            {
                throw json.Get("post_processor").Wrong($"ids of known tokens (it adds {id})");
            }
        }

        BosId = names.Find("bos", this, required: true);
        EosId = names.Find("eos", this, required: true);
        PadId = names.Find("pad", this, required: false);
        UnknownId = names.Find("unk", this, required: false) ?? _model.UnknownId;
    }

    /// <summary>One more than the highest id: every id is in [0, VocabularySize).</summary>
    public int VocabularySize { get; }

    /// <summary>The token that begins a text, if the model has one.</summary>
    public int? BosId { get; }

    /// <summary>The token that ends a text, if the model has one.</summary>
    public int? EosId { get; }

    /// <summary>The token that fills rows up, if the model has one.</summary>
    public int? PadId { get; }

    /// <summary>The token for what the vocabulary cannot spell, if the model has one.</summary>
    public int? UnknownId { get; }

    /// <summary>What <see cref="Encode(string, bool)"/> puts before a text.</summary>
    internal ReadOnlySpan<int> PrefixIds => _postProcessor.Before;

    /// <summary>What <see cref="Encode(string, bool)"/> puts after a text.</summary>
    internal ReadOnlySpan<int> SuffixIds => _postProcessor.After;

    /// <summary>Loads the tokenizer of a model folder.</summary>
    /// <param name="modelDirectory">A folder with tokenizer.json; tokenizer_config.json, special_tokens_map.json, generation_config.json and config.json are read where present.</param>
    /// <exception cref="TokenizerFormatException">A file is missing or malformed, or asks for a component that is not supported.</exception>
    public static Tokenizer Load(string modelDirectory)
    {
        string file = Path.Combine(modelDirectory, "tokenizer.json");
        if (!File.Exists(file))
        {
            throw new TokenizerFormatException(file, File.Exists(Path.Combine(modelDirectory, "tokenizer.model"))
                ? "no such file; the folder has tokenizer.model only, which has to be converted to tokenizer.json first"
                : "no such file; a model folder needs one");
        }

        return new Tokenizer(JsonField.Read(file), new SpecialTokenNames(modelDirectory));
    }

    /// <summary>Adds the ids of a text to a list.</summary>
    /// <param name="text">Any text; special tokens written in it are read as such.</param>
    /// <param name="to">The list to add to.</param>
    /// <param name="addSpecialTokens">Whether to add what the tokenizer puts around a text, such as the beginning-of-text token.</param>
    public void Encode(string text, List<int> to, bool addSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(to);
        if (addSpecialTokens)
        {
            to.AddRange(_postProcessor.Before);
        }

        Scratch scratch = _scratches.TryTake(out Scratch? free) ? free : new Scratch();
        EncodeSegments(WellFormed(text), scratch, to, null);
        _scratches.Add(scratch);
        if (addSpecialTokens)
        {
            to.AddRange(_postProcessor.After);
        }
    }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text; special tokens written in it are read as such.</param>
    /// <param name="addSpecialTokens">Whether to add what the tokenizer puts around a text, such as the beginning-of-text token.</param>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>();
        Encode(text, ids, addSpecialTokens);
        return [.. ids];
    }

    /// <summary>Adds the ids of a text to a list, and to another one which stretch of the text each stands for; no special tokens are put around it.</summary>
    /// <param name="text">Any text; special tokens written in it are read as such.</param>
    /// <param name="to">The list of ids to add to.</param>
    /// <param name="spans">
    /// The list of stretches to add to, one per id, in UTF-16 units of the text. Tokens that stand for parts of one character, as bytes do, share its stretch.
    /// </param>
    public void Encode(string text, List<int> to, List<TextSpan> spans)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(spans);
        Scratch scratch = _scratches.TryTake(out Scratch? free) ? free : new Scratch();
        EncodeSegments(WellFormed(text), scratch, to, spans);
        _scratches.Add(scratch);
    }

    /// <summary>The text of ids. Ids outside the vocabulary yield no text.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Whether to leave special tokens out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => CreateStreamingDecoder(skipSpecialTokens).DecodeAll(ids);

    /// <summary>A decoder that takes ids one by one.</summary>
    /// <param name="skipSpecialTokens">Whether to leave special tokens out.</param>
    public StreamingDecoder CreateStreamingDecoder(bool skipSpecialTokens = true) =>
        new(this, Array.ConvertAll(_decoders, make => make()), skipSpecialTokens);

    /// <summary>The token of an id as the vocabulary writes it, or null for an id that has none.</summary>
    public string? TokenText(int id) => _addedById.TryGetValue(id, out AddedToken? added) ? added.Content : _model.TokenText(id);

    /// <summary>The id of a token as the vocabulary writes it, or null where there is no such token.</summary>
    public int? TokenId(string token) => _addedIds.TryGetValue(token, out int id) ? id : _model.Find(token);

    /// <summary>Whether an id is a special token: one that stands for no text.</summary>
    public bool IsSpecial(int id) => TokenText(id) is { } text && _specialTexts.Contains(text);

    /// <summary>What decoding starts from: as the reference library does, normalised added tokens give their normalised text, and are left out only if that is special.</summary>
    internal string? TextToDecode(int id, bool skipSpecialTokens)
    {
        string? text = _normalizedTexts.TryGetValue(id, out string? normalized) ? normalized : TokenText(id);
        return text is null || (skipSpecialTokens && _specialTexts.Contains(text)) ? null : text;
    }

    private void EncodeSegments(string text, Scratch scratch, List<int> to, List<TextSpan>? spans)
    {
        scratch.Segments.Clear();
        Split(_added, text, scratch.Segments);
        foreach (AddedTokens.Segment segment in scratch.Segments)
        {
            if (segment.Token is not null)
            {
                to.Add(segment.Token.Id);
                spans?.Add(new TextSpan(segment.Start, segment.End));
                continue;
            }

            string normalized = segment.Start == 0 && segment.End == text.Length ? text : text[segment.Start..segment.End];
            TextSpan[] sources = spans is null ? [] : [.. Enumerable.Range(segment.Start, normalized.Length).Select(static at => new TextSpan(at, at + 1))];
            foreach (Normalizer normalizer in _normalizers)
            {
                normalized = spans is null ? normalizer.Normalize(normalized) : normalizer.Normalize(normalized, ref sources);
            }

            scratch.NormalizedSegments.Clear();
            Split(_addedNormalized, normalized, scratch.NormalizedSegments);
            foreach (AddedTokens.Segment inner in scratch.NormalizedSegments)
            {
                if (inner.Token is not null)
                {
                    to.Add(inner.Token.Id);
                    spans?.Add(new TextSpan(sources[inner.Start].Start, sources[inner.End - 1].End));
                }
                else
                {
                    ReadOnlySpan<TextSpan> part = spans is null ? default : sources.AsSpan(inner.Start, inner.End - inner.Start);
                    EncodePieces(normalized.AsSpan(inner.Start, inner.End - inner.Start), part, segment.Start == 0 && inner.Start == 0, scratch, to, spans);
                }
            }
        }
    }

    private void EncodePieces(ReadOnlySpan<char> text, ReadOnlySpan<TextSpan> sources, bool atTextStart, Scratch scratch, List<int> to, List<TextSpan>? spans)
    {
        PieceBuffer pieces = scratch.Pieces, next = scratch.Next;
        pieces.Clear(withSpans: spans is not null);
        pieces.Add(text, sources, atTextStart);
        foreach (PreTokenizer preTokenizer in _preTokenizers)
        {
            next.Clear(withSpans: spans is not null);
            preTokenizer.Apply(pieces, next, scratch.Spans);
            (pieces, next) = (next, pieces);
        }

        for (int i = 0; i < pieces.Count; i++)
        {
            int first = to.Count;
            _model.Encode(pieces.Text(i), to);
            if (spans is not null)
            {
                _model.AddSpans(pieces.Text(i), pieces.Spans(i), CollectionsMarshal.AsSpan(to)[first..], spans);
            }
        }
    }

    private static void Split(AddedTokens? added, ReadOnlySpan<char> text, List<AddedTokens.Segment> to)
    {
        if (added is not null)
        {
            added.Split(text, to);
        }
        else if (!text.IsEmpty)
        {
            to.Add(new AddedTokens.Segment(0, text.Length, null));
        }
    }

    private AddedTokens? Finder(bool normalized)
    {
        (string, AddedToken)[] tokens = [.. _addedById.Values.Where(token => token.Normalized == normalized).Select(token => (normalized ? _normalizedTexts[token.Id] : token.Content, token))];
        return tokens.Length == 0 ? null : new AddedTokens(tokens);
    }

    private string Normalized(string text) => _normalizers.Aggregate(text, (current, normalizer) => normalizer.Normalize(current));

    /// <summary>The text with U+FFFD in place of every lone surrogate.</summary>
    internal static string WellFormed(string text)
    {
        for (int at = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); at >= 0 && at < text.Length;)
        {
            if (Rune.DecodeFromUtf16(text.AsSpan(at), out _, out int length) != System.Buffers.OperationStatus.Done)
            {
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            }

            at += length;
        }

        return text;
    }

    private sealed class Scratch
    {
        public List<AddedTokens.Segment> Segments { get; } = [];

        public List<AddedTokens.Segment> NormalizedSegments { get; } = [];

        public List<PatternSpan> Spans { get; } = [];

        public PieceBuffer Pieces { get; } = new();

        public PieceBuffer Next { get; } = new();
    }
}
