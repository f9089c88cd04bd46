namespace PureSharpQLoRA.Text;

/// <summary>The pieces a text is cut into on its way to the model; one growing array of characters, reused from text to text.</summary>
internal sealed class PieceBuffer
{
    private char[] _chars = new char[256];
    private TextSpan[] _spans = [];
    private Piece[] _pieces = new Piece[32];
    private int _length;
    private int _open;

    /// <summary>A run of characters; <paramref name="AtTextStart"/> tells that it begins where the whole text begins.</summary>
    public readonly record struct Piece(int Start, int Length, bool AtTextStart);

    public int Count { get; private set; }

    /// <summary>Whether every character carries the stretch of the original text that it comes from.</summary>
    public bool HasSpans { get; private set; }

    public Piece this[int index] => _pieces[index];

    public ReadOnlySpan<char> Text(int index) => _chars.AsSpan(_pieces[index].Start, _pieces[index].Length);

    /// <summary>Where the characters of a piece come from; only with spans.</summary>
    public ReadOnlySpan<TextSpan> Spans(int index) => _spans.AsSpan(_pieces[index].Start, _pieces[index].Length);

    public void Clear(bool withSpans = false)
    {
        HasSpans = withSpans;
        Count = 0;
        _length = 0;
        _open = 0;
    }

    /// <summary>Adds a whole piece; an empty one is dropped, as it yields no token.</summary>
    /// <param name="text">Its characters.</param>
    /// <param name="spans">Where they come from; empty without spans.</param>
    /// <param name="atTextStart">Whether it begins where the whole text begins.</param>
    public void Add(ReadOnlySpan<char> text, ReadOnlySpan<TextSpan> spans, bool atTextStart)
    {
        text.CopyTo(Reserve(text.Length));
        if (HasSpans)
        {
            spans.CopyTo(_spans.AsSpan(_length));
        }

        _length += text.Length;
        Close(atTextStart);
    }

    /// <summary>Adds a part of another buffer's piece as a piece of its own.</summary>
    public void Add(PieceBuffer from, int index, int start, int length, bool atTextStart) =>
        Add(from.Text(index).Slice(start, length), HasSpans ? from.Spans(index).Slice(start, length) : default, atTextStart);

    /// <summary>Adds to the piece that <see cref="Close"/> will end.</summary>
    public void Append(char value, TextSpan span = default)
    {
        Reserve(1)[0] = value;
        if (HasSpans)
        {
            _spans[_length] = span;
        }

        _length++;
    }

    public void Close(bool atTextStart)
    {
        if (_length == _open)
        {
            return;
        }

        if (Count == _pieces.Length)
        {
            Array.Resize(ref _pieces, Count * 2);
        }

        _pieces[Count++] = new Piece(_open, _length - _open, atTextStart);
        _open = _length;
    }

    private Span<char> Reserve(int count)
    {
        if (_length + count > _chars.Length)
        {
            Array.Resize(ref _chars, Math.Max(_length + count, _chars.Length * 2));
        }

        if (HasSpans && _spans.Length < _chars.Length)
        {
            Array.Resize(ref _spans, _chars.Length);
        }

        return _chars.AsSpan(_length);
    }
}
