using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>Reads JSON as RFC 8259 has it, keeping line and column of each value. NaN and Infinity pass, since Python writes them.</summary>
/// <remarks>A reader of our own: System.Text.Json inside a generator collides with the compiler's copy and hides positions.</remarks>
internal sealed class JsonReader
{
    private const int MaxDepth = 64;

    private readonly string _text;
    private int _offset;
    private int _line;
    private int _lineStart;

    private JsonReader(string text) => _text = text;

    /// <exception cref="JsonSyntaxException">The text is not one JSON value.</exception>
    public static JsonNode Parse(string text)
    {
        var reader = new JsonReader(text);
        if (text.Length > 0 && text[0] == '\uFEFF')
        {
            reader._offset = reader._lineStart = 1;
        }

        reader.SkipSpace();
        JsonNode root = reader.ReadValue(0);
        reader.SkipSpace();
        if (reader._offset < text.Length)
        {
            throw reader.Unexpected("the end of the file");
        }

        return root;
    }

    private JsonNode ReadValue(int depth)
    {
        if (depth > MaxDepth)
        {
            throw new JsonSyntaxException("Values are nested more than 64 deep", SpanFrom(_offset, 1));
        }

        switch (Current)
        {
            case '{':
                return ReadObject(depth);
            case '[':
                return ReadArray(depth);
            case '"':
                int start = _offset;
                string value = ReadString();
                return new JsonNode(JsonKind.String, SpanFrom(start, _offset - start), value);
            default:
                return ReadWord();
        }
    }

    private JsonNode ReadObject(int depth)
    {
        var node = new JsonNode(JsonKind.Object, SpanFrom(_offset, 1));
        _offset++;
        SkipSpace();
        while (Current != '}')
        {
            if (Current != '"')
            {
                throw Unexpected("a name in quotes");
            }

            int nameStart = _offset;
            string name = ReadString();
            SourceSpan nameSpan = SpanFrom(nameStart, _offset - nameStart);
            SkipSpace();
            Expect(':');
            SkipSpace();
            JsonNode value = ReadValue(depth + 1);
            if (node.Members.ContainsKey(name))
            {
                throw new JsonSyntaxException($"'{name}' appears twice in one object", nameSpan);
            }

            node.Members.Add(name, value);
            ReadSeparator('}', "',' or '}'");
        }

        _offset++;
        return node;
    }

    private JsonNode ReadArray(int depth)
    {
        var node = new JsonNode(JsonKind.Array, SpanFrom(_offset, 1));
        _offset++;
        SkipSpace();
        while (Current != ']')
        {
            node.Items.Add(ReadValue(depth + 1));
            ReadSeparator(']', "',' or ']'");
        }

        _offset++;
        return node;
    }

    private void ReadSeparator(char close, string wanted)
    {
        SkipSpace();
        if (Current == close)
        {
            return;
        }

        if (Current != ',')
        {
            throw Unexpected(wanted);
        }

        _offset++;
        SkipSpace();
        if (Current == close)
        {
            throw Unexpected("a value after ','");
        }
    }

    private JsonNode ReadWord()
    {
        int start = _offset;
        while (char.IsLetterOrDigit(Current) || Current is '-' or '+' or '.' or '_')
        {
            _offset++;
        }

        string word = _text.Substring(start, _offset - start);
        SourceSpan span = SpanFrom(start, Math.Max(1, word.Length));
        switch (word)
        {
            case "null":
                return new JsonNode(JsonKind.Null, span, word);
            case "true" or "false":
                return new JsonNode(JsonKind.Boolean, span, word);
            case "NaN" or "Infinity" or "-Infinity":
                return new JsonNode(JsonKind.Number, span, word);
            case "":
                throw Unexpected("a value");
            default:
                return IsNumber(word)
                    ? new JsonNode(JsonKind.Number, span, word)
                    : throw new JsonSyntaxException($"'{word}' is not a JSON value", span);
        }
    }

    /// <summary>-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?</summary>
    private static bool IsNumber(string word)
    {
        int i = word[0] == '-' ? 1 : 0;
        int whole = SkipDigits(word, i);
        if (whole == i || (word[i] == '0' && whole > i + 1))
        {
            return false;
        }

        i = whole;
        if (i < word.Length && word[i] == '.')
        {
            int fraction = SkipDigits(word, i + 1);
            if (fraction == i + 1)
            {
                return false;
            }

            i = fraction;
        }

        if (i < word.Length && word[i] is 'e' or 'E')
        {
            i++;
            if (i < word.Length && word[i] is '+' or '-')
            {
                i++;
            }

            int exponent = SkipDigits(word, i);
            if (exponent == i)
            {
                return false;
            }

            i = exponent;
        }

        return i == word.Length;
    }

    private static int SkipDigits(string word, int i)
    {
        while (i < word.Length && word[i] is >= '0' and <= '9')
        {
            i++;
        }

        return i;
    }

    private string ReadString()
    {
        int start = _offset++;
        var value = new StringBuilder();
        while (true)
        {
            if (_offset >= _text.Length || _text[_offset] < ' ')
            {
                throw new JsonSyntaxException("The string does not end on its line", SpanFrom(start, 1));
            }

            char c = _text[_offset++];
            if (c == '"')
            {
                return value.ToString();
            }

            value.Append(c == '\\' ? ReadEscape() : c);
        }
    }

    private char ReadEscape()
    {
        int start = _offset - 1;
        char kind = Current;
        _offset++;
        switch (kind)
        {
            case '"' or '\\' or '/':
                return kind;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u' when _offset + 4 <= _text.Length
                && ushort.TryParse(_text.Substring(_offset, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit):
                _offset += 4;
                return (char)unit;
            default:
                const string Message = "A '\\' in a string must be followed by one of \"\\/bfnrt or by u and four hexadecimal digits";
                throw new JsonSyntaxException(Message, SpanFrom(start, 1));
        }
    }

    private char Current => _offset < _text.Length ? _text[_offset] : '\0';

    private void Expect(char wanted)
    {
        if (Current != wanted)
        {
            throw Unexpected($"'{wanted}'");
        }

        _offset++;
    }

    private void SkipSpace()
    {
        while (Current is ' ' or '\t' or '\n' or '\r')
        {
            bool ends = Current == '\n' || (Current == '\r' && (_offset + 1 >= _text.Length || _text[_offset + 1] != '\n'));
            _offset++;
            if (ends)
            {
                _line++;
                _lineStart = _offset;
            }
        }
    }

    private JsonSyntaxException Unexpected(string wanted)
    {
        string found = _offset < _text.Length ? $"'{_text[_offset]}'" : "the end of the file";
        return new JsonSyntaxException($"Expected {wanted}, but found {found}", SpanFrom(_offset, _offset < _text.Length ? 1 : 0));
    }

    // Every value and name lies within one line, so the current line is the one it started on.
    private SourceSpan SpanFrom(int start, int length) => new(start, length, _line, start - _lineStart);
}
