using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>Byte-pair encoding: a piece starts as its characters, and the pair learnt earliest is merged until none is left.</summary>
/// <remarks>Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units"; O(n log n) per piece.</remarks>
internal sealed partial class BytePairModel
{
    private const int CacheEntries = 1 << 16, CachedLength = 64;
    private const char VisibleSpace = '▁';

    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly string?[] _tokens;
    private readonly int[] _mergedIds;
    private readonly Dictionary<ulong, int> _ranks;
    private readonly int?[] _byteIds = new int?[256];
    private readonly int? _unknownId;
    private readonly bool _fuseUnknown, _ignoreMerges, _wordsStandAlone;
    private readonly ConcurrentDictionary<string, int[]> _cache = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cacheBySpan;
    private readonly ConcurrentBag<MergeScratch> _scratches = [];
    private int _cached;

    private BytePairModel(JsonField json)
    {
        _vocabulary = ReadVocabulary(json.Get("vocab"), out _tokens);
        _bySpan = _vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _cacheBySpan = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        (_ranks, _mergedIds) = ReadMerges(json.Get("merges"));
        _fuseUnknown = json.BoolOr("fuse_unk", false);
        _ignoreMerges = json.BoolOr("ignore_merges", false);
        if (json.BoolOr("byte_fallback", false))
        {
            for (int value = 0; value < 256; value++)
            {
                _byteIds[value] = _vocabulary.TryGetValue($"<0x{value.ToString("X2", CultureInfo.InvariantCulture)}>", out int id) ? id : null;
            }
        }

        if (json.Find("unk_token") is { } unknown)
        {
            _unknownId = _vocabulary.TryGetValue(unknown.String(), out int id) ? id : throw unknown.Wrong("a token of the vocabulary");
        }

        _wordsStandAlone = _vocabulary.ContainsKey(VisibleSpace.ToString()) && !_mergedIds.Any(id => HasInnerSpace(_tokens[id]!));
    }

    /// <summary>One more than the highest id.</summary>
    public int Size => _tokens.Length;

    public int? UnknownId => _unknownId;

    public static BytePairModel Load(JsonField json)
    {
        // Files older than the field's introduction hold BPE models.
        string type = json.Find("type")?.String() ?? "BPE";
        if (type != "BPE")
        {
            throw json.Unsupported("model", type, "BPE");
        }

        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (json.Find(name) is { } affix && affix.String().Length > 0)
            {
                throw json.Unsupported(name, affix.String(), "none");
            }
        }

        if (json.Find("dropout") is { } dropout && !(dropout.Element.ValueKind == JsonValueKind.Number && dropout.Element.GetDouble() == 0))
        {
            throw dropout.Wrong("null: merges left out at random would make ids irreproducible");
        }

        return new BytePairModel(json);
    }

    public int? Find(string token) => _vocabulary.TryGetValue(token, out int id) ? id : null;

    public string? TokenText(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <summary>Adds the ids of a piece.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> to)
    {
        if (piece.IsEmpty)
        {
            return;
        }

        if (_ignoreMerges && _bySpan.TryGetValue(piece, out int whole))
        {
            to.Add(whole);
            return;
        }

        if (!_wordsStandAlone)
        {
            EncodeWord(piece, to);
            return;
        }

        // No merge reaches over the start of a word, so words can be merged (and remembered) one by one.
        int start = 0;
        for (int at = 1; at < piece.Length; at++)
        {
            if (piece[at] == VisibleSpace && piece[at - 1] != VisibleSpace)
            {
                EncodeWord(piece[start..at], to);
                start = at;
            }
        }

        EncodeWord(piece[start..], to);
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> to)
    {
        if (word.Length > CachedLength)
        {
            Merge(word, to);
            return;
        }

        if (!_cacheBySpan.TryGetValue(word, out int[]? ids))
        {
            int first = to.Count;
            Merge(word, to);
            if (Volatile.Read(ref _cached) < CacheEntries && _cacheBySpan.TryAdd(word, CollectionsMarshal.AsSpan(to)[first..].ToArray()))
            {
                Interlocked.Increment(ref _cached);
            }

            return;
        }

        to.AddRange(ids.AsSpan());
    }

    private void Merge(ReadOnlySpan<char> word, List<int> to)
    {
        if (!_scratches.TryTake(out MergeScratch? scratch))
        {
            scratch = new MergeScratch();
        }

        scratch.Count = 0;
        AddSymbols(word, scratch);
        MergeAll(scratch);
        for (int at = 0; at < scratch.Count; at = scratch.Next[at])
        {
            to.Add(scratch.Ids[at]);
        }

        _scratches.Add(scratch);
    }

    /// <summary>One symbol per character; for characters outside the vocabulary their bytes, else the unknown token.</summary>
    private void AddSymbols(ReadOnlySpan<char> word, MergeScratch scratch)
    {
        Span<byte> bytes = stackalloc byte[4];
        bool pendingUnknown = false;
        for (int at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out Rune rune, out int length);
            if (_bySpan.TryGetValue(word.Slice(at, length), out int id))
            {
                if (pendingUnknown)
                {
                    scratch.Add(_unknownId!.Value);
                    pendingUnknown = false;
                }

                scratch.Add(id);
            }
            else if (!TryAddBytes(bytes[..rune.EncodeToUtf8(bytes)], scratch) && _unknownId is { } unknown)
            {
                if (pendingUnknown && !_fuseUnknown)
                {
                    scratch.Add(unknown);
                }

                pendingUnknown = true;
            }

            at += length;
        }

        if (pendingUnknown)
        {
            scratch.Add(_unknownId!.Value);
        }
    }

    private bool TryAddBytes(ReadOnlySpan<byte> bytes, MergeScratch scratch)
    {
        foreach (byte value in bytes)
        {
            if (_byteIds[value] is null)
            {
                return false;
            }
        }

        foreach (byte value in bytes)
        {
            scratch.Add(_byteIds[value]!.Value);
        }

        return true;
    }

    private void MergeAll(MergeScratch scratch)
    {
        const int Removed = -1;
        int count = scratch.Count;
        int[] ids = scratch.Ids, previous = scratch.Previous, next = scratch.Next;
        PriorityQueue<int, ulong> queue = scratch.Queue;
        for (int at = 0; at + 1 < count; at++)
        {
            Enqueue(at, at + 1);
        }

        while (queue.TryDequeue(out int at, out ulong priority))
        {
            int right = next[at];
            if (ids[at] == Removed || right >= count)
            {
                continue;
            }

            // An entry is stale when the pair at its place no longer makes the token it promised.
            int merged = _mergedIds[(int)(priority >> 32)];
            if (!_ranks.TryGetValue(Pair(ids[at], ids[right]), out int rank) || _mergedIds[rank] != merged)
            {
                continue;
            }

            ids[at] = merged;
            ids[right] = Removed;
            next[at] = next[right];
            if (next[right] < count)
            {
                previous[next[right]] = at;
                Enqueue(at, next[right]);
            }

            if (previous[at] >= 0)
            {
                Enqueue(previous[at], at);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Enqueue(int left, int right)
        {
            if (_ranks.TryGetValue(Pair(ids[left], ids[right]), out int rank))
            {
                queue.Enqueue(left, ((ulong)(uint)rank << 32) | (uint)left);
            }
        }
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private static bool HasInnerSpace(string token)
    {
        for (int at = 1; at < token.Length; at++)
        {
            if (token[at] == VisibleSpace && token[at - 1] != VisibleSpace)
            {
                return true;
            }
        }

        return false;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonField json, out string?[] tokens)
    {
        if (json.Element.ValueKind != JsonValueKind.Object)
        {
            throw json.Wrong("an object of tokens and ids");
        }

        var vocabulary = new Dictionary<string, int>(json.Element.GetPropertyCount());
        int size = 0;
        foreach (JsonProperty entry in json.Element.EnumerateObject())
        {
            string token = Name(entry, json);
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id < 0 || id >= Tokenizer.LargestVocabulary)
            {
                throw new TokenizerFormatException(json.File, $"{json.Path}: the id of \"{token}\" is {entry.Value.GetRawText()}, not an integer from 0 to {Tokenizer.LargestVocabulary - 1}");
            }

            vocabulary[token] = id;
            size = Math.Max(size, id + 1);
        }

        tokens = new string?[size];
        foreach ((string token, int id) in vocabulary)
        {
            tokens[id] = token;
        }

        return vocabulary;
    }

    private static string Name(JsonProperty entry, JsonField json)
    {
        try
        {
            return entry.Name;
        }
        catch (InvalidOperationException exception)
        {
            throw new TokenizerFormatException(json.File, $"{json.Path}: a token holds half of a surrogate pair, which is no text", exception);
        }
    }

    /// <summary>The rank of each pair of ids, and the id each rank makes.</summary>
    private (Dictionary<ulong, int> Ranks, int[] MergedIds) ReadMerges(JsonField json)
    {
        var ranks = new Dictionary<ulong, int>(json.Element.ValueKind == JsonValueKind.Array ? json.Element.GetArrayLength() : 0);
        var merged = new List<int>();
        foreach (JsonField merge in json.Items())
        {
            string[] pair = merge.Element.ValueKind == JsonValueKind.Array
                ? [.. merge.Items().Select(part => part.String())]
                : merge.String().Split(' ');
            if (pair.Length != 2)
            {
                throw merge.Wrong("two tokens");
            }

            ranks[Pair(Id(pair[0]), Id(pair[1]))] = merged.Count;
            merged.Add(Id(pair[0] + pair[1]));

            int Id(string token) => _vocabulary.TryGetValue(token, out int id)
                ? id
                : throw new TokenizerFormatException(merge.File, $"{merge.Path}: the merge needs \"{token}\", which is not in model.vocab");
        }

        return (ranks, [.. merged]);
    }
}
