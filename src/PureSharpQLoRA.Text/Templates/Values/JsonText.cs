using System.Globalization;
using System.Numerics;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Writes values as Python's json.dumps does.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder _to = new();

    public bool EnsureAscii { get; init; }

    public bool SortKeys { get; init; }

    /// <summary>What each level is indented by; null: everything on one line.</summary>
    public string? Indent { get; init; }

    public required string ItemSeparator { get; init; }

    public required string KeySeparator { get; init; }

    public string Write(object value)
    {
        Write(value, 0);
        return _to.ToString();
    }

    private void Write(object value, int level)
    {
        if (_to.Length > TemplateLimits.TextLength)
        {
            throw new TemplateFault("a text has grown too long");
        }

        switch (value)
        {
            case string text:
                WriteText(text);
                break;
            case Markup markup:
                WriteText(markup.Text);
                break;
            case Sequence { Items.Length: 0 }:
                _to.Append("[]");
                break;
            case Sequence sequence:
                _to.Append('[');
                for (int i = 0; i < sequence.Items.Length; i++)
                {
                    Separate(i == 0, level + 1);
                    Write(sequence.Items[i], level + 1);
                }

                NewLine(level);
                _to.Append(']');
                break;
            case DictValue { Length: 0 }:
                _to.Append("{}");
                break;
            case DictValue dict:
                WriteDict(dict, level);
                break;
            default:
                _to.Append(Scalar(value) ?? throw new TemplateFault($"{TypeNames.Of(value)} has no JSON form"));
                break;
        }
    }

    private void WriteDict(DictValue dict, int level)
    {
        IEnumerable<KeyValuePair<object, object>> entries = dict.Entries;
        if (SortKeys)
        {
            entries = StableSort.Sorted([.. entries], static (a, b) => Comparison.Order(a.Key, b.Key, "<") ?? 0);
        }

        _to.Append('{');
        bool first = true;
        foreach ((object key, object value) in entries)
        {
            Separate(first, level + 1);
            WriteText(key as string ?? Scalar(key) ?? throw new TemplateFault($"{TypeNames.Of(key)} cannot be a key in JSON"));
            _to.Append(KeySeparator);
            Write(value, level + 1);
            first = false;
        }

        NewLine(level);
        _to.Append('}');
    }

    private static string? Scalar(object value) => value switch
    {
        None => "null",
        bool flag => flag ? "true" : "false",
        long or BigInteger => Repr.Of(value),
        double number => double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : Repr.Of(number),
        _ => null,
    };

    private void Separate(bool first, int level)
    {
        _to.Append(first ? "" : ItemSeparator);
        NewLine(level);
    }

    private void NewLine(int level)
    {
        if (Indent is null)
        {
            return;
        }

        _to.Append('\n');
        for (int i = 0; i < level; i++)
        {
            _to.Append(Indent);
        }
    }

    private void WriteText(string text)
    {
        _to.Append('"');
        foreach (char unit in text)
        {
            _ = unit switch
            {
                '"' => _to.Append("\\\""),
                '\\' => _to.Append("\\\\"),
                '\n' => _to.Append("\\n"),
                '\r' => _to.Append("\\r"),
                '\t' => _to.Append("\\t"),
                '\b' => _to.Append("\\b"),
                '\f' => _to.Append("\\f"),
                < ' ' => _to.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}"),
                > '~' when EnsureAscii && unit != '\u007F' => _to.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}"),
                _ => _to.Append(unit),
            };
        }

        _to.Append('"');
    }
}
