using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Reads characters of the byte alphabet back as UTF-8; a token with any other character stands for itself.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private byte[] _bytes = new byte[64];
    private char[] _chars = new char[64];
    private bool _started;

    public override void Push(TextPart part, List<TextPart> to) => Emit(ToBytes(part.Text), flush: false, to);

    public override void Flush(List<TextPart> to) => Emit([], flush: true, to);

    private void Emit(ReadOnlySpan<byte> bytes, bool flush, List<TextPart> to)
    {
        // A held-back incomplete sequence can add a replacement character or two.
        if (_chars.Length < bytes.Length + 4)
        {
            _chars = new char[bytes.Length * 2];
        }

        int count = _utf8.GetChars(bytes, _chars, flush);
        to.Add(new TextPart(new string(_chars, 0, count), Starts: !_started, Ends: flush));
        _started = true;
    }

    private ReadOnlySpan<byte> ToBytes(string text)
    {
        int capacity = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (_bytes.Length < capacity)
        {
            _bytes = new byte[capacity];
        }

        for (int i = 0; i < text.Length; i++)
        {
            if (!ByteAlphabet.TryToByte(text[i], out _bytes[i]))
            {
                return _bytes.AsSpan(0, Encoding.UTF8.GetBytes(text, _bytes));
            }
        }

        return _bytes.AsSpan(0, text.Length);
    }
}
