namespace PureSharpQLoRA.Text;

/// <summary>The pieces a text is cut into on its way to the model; one growing array of characters, reused from text to text.</summary>
internal sealed class PieceBuffer
{
    private char[] _chars = new char[256];
    private Piece[] _pieces = new Piece[32];
    private int _length;
    private int _open;

    /// <summary>A run of characters; <paramref name="AtTextStart"/> tells that it begins where the whole text begins.</summary>
    public readonly record struct Piece(int Start, int Length, bool AtTextStart);

    public int Count { get; private set; }

    public Piece this[int index] => _pieces[index];

    public ReadOnlySpan<char> Text(int index) => _chars.AsSpan(_pieces[index].Start, _pieces[index].Length);

    public void Clear()
    {
        Count = 0;
        _length = 0;
        _open = 0;
    }

    /// <summary>Adds a whole piece; an empty one is dropped, as it yields no token.</summary>
    public void Add(ReadOnlySpan<char> text, bool atTextStart)
    {
        Append(text);
        Close(atTextStart);
    }

    /// <summary>Adds to the piece that <see cref="Close"/> will end.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        text.CopyTo(Reserve(text.Length));
        _length += text.Length;
    }

    public void Append(char value)
    {
        Reserve(1)[0] = value;
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

        return _chars.AsSpan(_length);
    }
}
