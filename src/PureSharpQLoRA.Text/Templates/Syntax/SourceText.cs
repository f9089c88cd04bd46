namespace PureSharpQLoRA.Text.Templates;

/// <summary>A template's text, with what Jinja does to it before reading: every line break is a line feed, and a last one is dropped.</summary>
internal sealed class SourceText
{
    private readonly List<int> _lineStarts = [0];

    public SourceText(string name, string text)
    {
        Name = name;
        Text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (Text.EndsWith('\n'))
        {
            Text = Text[..^1];
        }

        for (int at = Text.IndexOf('\n', StringComparison.Ordinal); at >= 0; at = Text.IndexOf('\n', at + 1))
        {
            _lineStarts.Add(at + 1);
        }

        if (Text.Length > TemplateLimits.SourceLength)
        {
            throw Error(0, $"the template has {Text.Length} characters, more than the {TemplateLimits.SourceLength} that are allowed");
        }
    }

    public string Name { get; }

    public string Text { get; }

    public TemplateException Error(int offset, string reason, Exception? inner = null)
    {
        int line = _lineStarts.BinarySearch(offset);
        line = line < 0 ? ~line - 1 : line;
        return new TemplateException(Name, line + 1, offset - _lineStarts[line] + 1, reason, inner);
    }
}
