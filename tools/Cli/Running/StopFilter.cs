using System.Text;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Passes text on, except what a stop string begins; text that could be the beginning of one is held back.</summary>
internal sealed class StopFilter(IReadOnlyList<string> stops, Action<string> write)
{
    private readonly StringBuilder _text = new();
    private int _written;

    /// <summary>Whether a stop string was found.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>What was passed on.</summary>
    public string Text => _text.ToString(0, _written);

    /// <summary>Takes more text.</summary>
    /// <returns>Whether to go on.</returns>
    public bool Add(string piece)
    {
        if (piece.Length == 0)
        {
            return true;
        }

        _text.Append(piece);
        string text = _text.ToString(_written, _text.Length - _written);
        (int found, int end) = (-1, int.MaxValue);
        foreach (string stop in stops)
        {
            // The one that is complete first counts, so that it doesn't matter how the text is cut into pieces.
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (at + stop.Length < end || (at + stop.Length == end && at < found)))
            {
                (found, end) = (at, at + stop.Length);
            }
        }

        IsStopped = found >= 0;
        Pass(text[..(IsStopped ? found : text.Length - HeldBack(text))]);
        return !IsStopped;
    }

    /// <summary>Passes on what was held back.</summary>
    public void Flush() => Pass(_text.ToString(_written, _text.Length - _written));

    private void Pass(string text)
    {
        if (text.Length > 0)
        {
            write(text);
            _written += text.Length;
        }
    }

    /// <summary>The length of the longest end of the text that a stop string begins with.</summary>
    private int HeldBack(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.EndsWith(stop[..length], StringComparison.Ordinal))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
