using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Cuts up to so many of one character from the start and the end of each token.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : TokenDecoder
{
    public static Func<TokenDecoder> Load(JsonField json)
    {
        JsonField content = json.Get("content");
        char character = content.String() is { Length: 1 } text ? text[0] : throw content.Wrong("one character");
        int start = json.Get("start").Int(), stop = json.Get("stop").Int();
        return () => new StripDecoder(character, start, stop);
    }

    private readonly StringBuilder _text = new();
    private int _left, _held;

    public override void Push(TextPart part, List<TextPart> to)
    {
        if (part.Starts)
        {
            _left = start;
            _held = 0;
        }

        _text.Clear();
        foreach (char character in part.Text)
        {
            if (_left > 0 && character == content)
            {
                _left--;
                continue;
            }

            _left = 0;
            if (stop > 0 && character == content)
            {
                // Perhaps among the last: all but `stop` of a run can go.
                if (_held == stop)
                {
                    _text.Append(content);
                }
                else
                {
                    _held++;
                }

                continue;
            }

            _text.Append(content, _held).Append(character);
            _held = 0;
        }

        if (part.Ends)
        {
            _held = 0;
        }

        to.Add(part with { Text = _text.ToString() });
    }
}
