namespace PureSharpQLoRA.Text.Templates;

/// <summary>Cuts a template into tokens, with <c>trim_blocks</c> and <c>lstrip_blocks</c> set as transformers sets them.</summary>
internal sealed class Lexer
{
    private static readonly string[] LongOperators = ["//", "**", "==", "!=", ">=", "<="];

    private readonly SourceText _source;
    private readonly string _text;
    private readonly List<Token> _tokens = [];
    private readonly Stack<char> _open = [];
    private int _at;

    private Lexer(SourceText source) => (_source, _text) = (source, source.Text);

    public static List<Token> Read(SourceText source)
    {
        var lexer = new Lexer(source);
        lexer.ReadTemplate();
        return lexer._tokens;
    }

    private void ReadTemplate()
    {
        bool atLineStart = true;
        while (_at < _text.Length)
        {
            int tag = FindTag(_at);
            if (tag < 0)
            {
                AddData(_at, _text.Length);
                break;
            }

            char kind = _text[tag + 1];
            int after = tag + 2;
            char sign = after < _text.Length && _text[after] is '-' or '+' ? _text[after++] : ' ';
            AddData(_at, EndOfData(tag, kind, sign, atLineStart));
            _at = after;
            switch (kind)
            {
                case '#':
                    SkipComment(tag);
                    break;
                case '%' when SkipRawBegin():
                    ReadRaw(tag);
                    break;
                default:
                    ReadTag(tag, isBlock: kind == '%');
                    break;
            }

            atLineStart = _at > 0 && _text[_at - 1] == '\n';
        }

        _tokens.Add(new Token(TokenKind.End, "", _text.Length));
    }

    private int FindTag(int from)
    {
        for (int at = _text.IndexOf('{', from); at >= 0 && at + 1 < _text.Length; at = _text.IndexOf('{', at + 1))
        {
            if (_text[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    /// <summary>Where the text before a tag ends: white space before it may belong to the tag.</summary>
    private int EndOfData(int tag, char kind, char sign, bool atLineStart)
    {
        int end = tag;
        if (sign == '-')
        {
            while (end > _at && CharacterClasses.IsSpace(_text[end - 1]))
            {
                end--;
            }

            return end;
        }

        if (sign == '+' || kind == '{')
        {
            return end;
        }

        while (end > _at && CharacterClasses.IsSpace(_text[end - 1]) && _text[end - 1] != '\n')
        {
            end--;
        }

        bool lineBegins = end > _at ? _text[end - 1] == '\n' : (end > 0 && _text[end - 1] == '\n' && _at != end) || atLineStart;
        return lineBegins ? end : tag;
    }

    private void SkipComment(int tag)
    {
        int end = _text.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw _source.Error(tag, "the comment that begins here has no end");
        }

        char sign = end > _at ? _text[end - 1] : ' ';
        _at = end + 2;
        SkipAfterBlock(sign);
    }

    /// <summary>Behind a block's end: white space after <c>-%}</c>, one line feed after <c>%}</c>, nothing after <c>+%}</c>.</summary>
    private void SkipAfterBlock(char sign)
    {
        if (sign == '-')
        {
            SkipSpace();
        }
        else if (sign != '+' && _at < _text.Length && _text[_at] == '\n')
        {
            _at++;
        }
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && CharacterClasses.IsSpace(_text[_at]))
        {
            _at++;
        }
    }

    /// <summary>Goes over <c>raw %}</c>, if that is what the block is.</summary>
    private bool SkipRawBegin()
    {
        int start = _at;
        SkipSpace();
        if (string.CompareOrdinal(_text, _at, "raw", 0, 3) == 0)
        {
            _at += 3;
            SkipSpace();
            bool strips = _at < _text.Length && _text[_at] == '-';
            _at += strips ? 1 : 0;
            if (string.CompareOrdinal(_text, _at, "%}", 0, 2) == 0)
            {
                _at += 2;
                if (strips)
                {
                    SkipSpace();
                }

                return true;
            }
        }

        _at = start;
        return false;
    }

    private void ReadRaw(int tag)
    {
        int start = _at;
        for (int end = _text.IndexOf("{%", start, StringComparison.Ordinal); end >= 0; end = _text.IndexOf("{%", end + 1, StringComparison.Ordinal))
        {
            _at = end + 2;
            char before = _at < _text.Length && _text[_at] is '-' or '+' ? _text[_at++] : ' ';
            SkipSpace();
            if (string.CompareOrdinal(_text, _at, "endraw", 0, 6) != 0)
            {
                continue;
            }

            _at += 6;
            SkipSpace();
            char after = _at < _text.Length && _text[_at] is '-' or '+' ? _text[_at++] : ' ';
            if (string.CompareOrdinal(_text, _at, "%}", 0, 2) == 0)
            {
                int resume = _at + 2;
                _at = start;
                AddData(start, EndOfData(end, '%', before, _text[start - 1] == '\n'));
                _at = resume;
                SkipAfterBlock(after);
                return;
            }
        }

        throw _source.Error(tag, "the raw block that begins here has no {% endraw %}");
    }

    private void AddData(int start, int end)
    {
        if (end > start)
        {
            _tokens.Add(new Token(TokenKind.Data, _text[start..end], start));
        }
    }

    private void ReadTag(int tag, bool isBlock)
    {
        _tokens.Add(new Token(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, isBlock ? "{%" : "{{", tag));
        string close = isBlock ? "%}" : "}}";
        _open.Clear();
        while (true)
        {
            SkipSpace();
            if (_at == _text.Length)
            {
                throw _source.Error(tag, $"the tag that begins here has no end: {close} is missing");
            }

            if (_open.Count == 0)
            {
                char sign = _text[_at] == '-' || (isBlock && _text[_at] == '+') ? _text[_at] : ' ';
                int end = sign == ' ' ? _at : _at + 1;
                if (string.CompareOrdinal(_text, end, close, 0, 2) == 0)
                {
                    _tokens.Add(new Token(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, close, _at));
                    _at = end + 2;
                    if (isBlock)
                    {
                        SkipAfterBlock(sign);
                    }
                    else if (sign == '-')
                    {
                        SkipSpace();
                    }

                    return;
                }
            }

            ReadToken();
        }
    }

    private void ReadToken()
    {
        int start = _at;
        char first = _text[_at];
        if (char.IsAsciiDigit(first))
        {
            object value = NumberReader.Read(_source, ref _at);
            _tokens.Add(new Token(TokenKind.Number, _text[start.._at], start, value));
        }
        else if (CharacterClasses.IsNameStart(first))
        {
            while (_at < _text.Length && CharacterClasses.IsNamePart(_text[_at]))
            {
                _at++;
            }

            _tokens.Add(new Token(TokenKind.Name, string.Intern(_text[start.._at]), start));
        }
        else if (first is '\'' or '"')
        {
            _tokens.Add(new Token(TokenKind.String, StringReader.Read(_source, ref _at), start));
        }
        else
        {
            ReadOperator(start, first);
        }
    }

    private void ReadOperator(int start, char first)
    {
        foreach (string candidate in LongOperators)
        {
            if (string.CompareOrdinal(_text, start, candidate, 0, candidate.Length) == 0)
            {
                _at += candidate.Length;
                _tokens.Add(new Token(TokenKind.Operator, candidate, start));
                return;
            }
        }

        if (!"+-*/%~[](){}<>=.:|,;".Contains(first, StringComparison.Ordinal))
        {
            throw _source.Error(start, $"the character '{first}' has no meaning here");
        }

        switch (first)
        {
            case '(' or '[' or '{':
                _open.Push(first == '(' ? ')' : first == '[' ? ']' : '}');
                break;
            case ')' or ']' or '}':
                if (_open.Count == 0 || _open.Pop() != first)
                {
                    throw _source.Error(start, $"'{first}' closes no bracket");
                }

                break;
        }

        _at++;
        _tokens.Add(new Token(TokenKind.Operator, first.ToString(), start));
    }
}
