using System.Text;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>Indented C# text with \n line ends.</summary>
internal sealed class CodeWriter
{
    private readonly StringBuilder _text = new();
    private int _depth;

    public void Line(string line = "")
    {
        if (line.Length > 0)
        {
            _text.Append(' ', 4 * _depth).Append(line);
        }

        _text.Append('\n');
    }

    public void Lines(params string[] lines)
    {
        foreach (string line in lines)
        {
            Line(line);
        }
    }

    /// <summary>Text that keeps its own line breaks and gets the current indentation.</summary>
    public void Block(string prefix, string text)
    {
        foreach (string line in text.Split('\n'))
        {
            Line((prefix + line).TrimEnd());
        }
    }

    public void Open(string line)
    {
        Line(line);
        Line("{");
        _depth++;
    }

    public void Close(string end = "}")
    {
        _depth--;
        Line(end);
    }

    public override string ToString() => _text.ToString();
}
