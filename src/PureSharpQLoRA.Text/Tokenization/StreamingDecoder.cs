using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Decodes tokens as they come. What <see cref="Append"/> and <see cref="Flush"/> return, put together, is what <see cref="Tokenizer.Decode"/> makes of all ids.</summary>
/// <remarks>Not thread-safe; make one per sequence.</remarks>
public sealed class StreamingDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly TokenDecoder[] _stages;
    private readonly StringBuilder _text = new();
    private List<TextPart> _parts = [], _next = [];
    private bool _flushed;

    internal StreamingDecoder(Tokenizer tokenizer, TokenDecoder[] stages, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _stages = stages;
        _skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes the next id.</summary>
    /// <param name="id">The id; one outside the vocabulary yields no text.</param>
    /// <returns>The text that no later id can change; empty while a character's bytes are incomplete.</returns>
    /// <exception cref="InvalidOperationException">The decoder was flushed before.</exception>
    public string Append(int id)
    {
        _text.Clear();
        Push(id);
        return _text.ToString();
    }

    /// <summary>Ends the sequence.</summary>
    /// <returns>The text held back so far; incomplete UTF-8 sequences as U+FFFD.</returns>
    /// <exception cref="InvalidOperationException">The decoder was flushed before.</exception>
    public string Flush()
    {
        _text.Clear();
        Finish();
        return _text.ToString();
    }

    internal string DecodeAll(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            Push(id);
        }

        Finish();
        return _text.ToString();
    }

    private void Push(int id)
    {
        ThrowIfFlushed();
        if (_tokenizer.TextToDecode(id, _skipSpecialTokens) is not { } token)
        {
            return;
        }

        _parts.Clear();
        _parts.Add(new TextPart(token, Starts: true, Ends: true));
        RunFrom(0);
    }

    private void Finish()
    {
        ThrowIfFlushed();
        _flushed = true;
        for (int stage = 0; stage < _stages.Length; stage++)
        {
            _parts.Clear();
            _stages[stage].Flush(_parts);
            RunFrom(stage + 1);
        }
    }

    private void RunFrom(int stage)
    {
        for (; stage < _stages.Length; stage++)
        {
            _next.Clear();
            foreach (TextPart part in _parts)
            {
                _stages[stage].Push(part, _next);
            }

            (_parts, _next) = (_next, _parts);
        }

        foreach (TextPart part in _parts)
        {
            _text.Append(part.Text);
        }
    }

    private void ThrowIfFlushed()
    {
        if (_flushed)
        {
            throw new InvalidOperationException("This decoder was flushed; make a new one for another sequence.");
        }
    }
}
