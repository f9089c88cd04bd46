using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Turns runs of byte tokens such as &lt;0x0A&gt; into the text they spell, or into one U+FFFD per byte where a run is not UTF-8.</summary>
/// <remarks>One byte that does not fit spoils its whole run, so a run is final only when another token follows it.</remarks>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private readonly List<byte> _run = [];

    public override void Push(TextPart part, List<TextPart> to)
    {
        string text = part.Text;
        if (text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>'
            && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
        {
            _run.Add(value);
            return;
        }

        Flush(to);
        to.Add(part);
    }

    public override void Flush(List<TextPart> to)
    {
        if (_run.Count == 0)
        {
            return;
        }

        byte[] run = [.. _run];
        _run.Clear();
        if (System.Text.Unicode.Utf8.IsValid(run))
        {
            to.Add(new TextPart(Encoding.UTF8.GetString(run), Starts: true, Ends: true));
            return;
        }

        foreach (byte _ in run)
        {
            to.Add(new TextPart("\uFFFD", Starts: true, Ends: true));
        }
    }
}
