using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Rewrites a regular expression of Oniguruma's syntax in .NET's, and refuses what would mean something else there.</summary>
internal sealed class OnigurumaPattern
{
    // Those that do not round-trip between one upper and one lower case letter, by Unicode's simple case folding.
    private const char LongS = 'ſ', KelvinSign = 'K';

    private readonly string _source;
    private readonly JsonField _json;
    private readonly StringBuilder _target = new();
    private readonly List<(char First, char Last)> _literals = [];
    private int _at;

    private OnigurumaPattern(string source, JsonField json)
    {
        _source = source;
        _json = json;
    }

    /// <summary>The expression for .NET.</summary>
    public string Expression => _target.ToString();

    /// <summary>The characters the pattern names itself, single or in ranges.</summary>
    public IReadOnlyList<(char First, char Last)> Literals => _literals;

    public static OnigurumaPattern Translate(string pattern, JsonField json)
    {
        var translation = new OnigurumaPattern(pattern, json);
        translation.Alternatives(ignoreCase: false);
        return translation._at == pattern.Length ? translation : throw translation.Unsupported("an unmatched )");
    }

    private void Alternatives(bool ignoreCase)
    {
        int atom = _target.Length;
        while (_at < _source.Length && _source[_at] != ')')
        {
            char next = _source[_at];
            if (next is '*' or '+' or '?' or '{')
            {
                Quantifier(atom);
                continue;
            }

            atom = _target.Length;
            switch (next)
            {
                case '(':
                    Group(ignoreCase);
                    break;
                case '[':
                    Class(ignoreCase);
                    break;
                case '\\':
                    if (Escape() is { } character)
                    {
                        Literal(character, ignoreCase);
                    }

                    break;
                case '|' or '.':
                    // Oniguruma's dot leaves out the line feed alone, as .NET's does.
                    _target.Append(next);
                    _at++;
                    break;
                case '^' or '$':
                    throw Unsupported($"the anchor {next}");
                default:
                    Literal(next, ignoreCase);
                    _at++;
                    break;
            }
        }
    }

    /// <summary>A quantifier; possessive ones (?+, *+, ++) become atomic groups, which .NET has.</summary>
    private void Quantifier(int atom)
    {
        if (_source[_at] == '{')
        {
            Interval();
        }
        else
        {
            _target.Append(_source[_at++]);
            if (_at < _source.Length && _source[_at] == '+')
            {
                _target.Insert(atom, "(?>").Append(')');
                _at++;
                return;
            }
        }

        if (_at < _source.Length && _source[_at] == '?')
        {
            _target.Append(_source[_at++]);
        }
    }

    private void Group(bool ignoreCase)
    {
        string? opening = Array.Find(["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?>"], kind => string.CompareOrdinal(_source, _at, kind, 0, kind.Length) == 0);
        if (opening is null)
        {
            if (_at + 1 < _source.Length && _source[_at + 1] == '?')
            {
                throw Unsupported("this kind of group");
            }

            opening = "(";
        }

        bool folded = opening == "(?i:";
        _target.Append(folded || opening == "(" ? "(?:" : opening);
        _at += opening.Length;
        Alternatives(ignoreCase || folded);
        if (_at >= _source.Length)
        {
            throw Unsupported("a group without )");
        }

        _target.Append(')');
        _at++;
    }

    private void Class(bool ignoreCase)
    {
        if (ignoreCase)
        {
            throw Unsupported("a character class that ignores case");
        }

        _target.Append('[');
        _at++;
        if (_at < _source.Length && _source[_at] == '^')
        {
            _target.Append('^');
            _at++;
        }

        int first = _at;
        while (_at < _source.Length && (_source[_at] != ']' || _at == first))
        {
            ClassItem();
        }

        if (_at >= _source.Length)
        {
            throw Unsupported("a class without ]");
        }

        _target.Append(']');
        _at++;
    }

    /// <summary>A set such as \p{L}, a character, or a range of characters.</summary>
    private void ClassItem()
    {
        if (ClassAtom() is not { } low)
        {
            return;
        }

        bool range = _at + 1 < _source.Length && _source[_at] == '-' && _source[_at + 1] != ']';
        if (!range)
        {
            Literal(low, ignoreCase: false);
            return;
        }

        _at++;
        char high = ClassAtom() ?? throw Unsupported("a range that ends in a set");
        if (high < low || char.IsSurrogate(low) || char.IsSurrogate(high))
        {
            throw Unsupported("a range that is empty or above U+FFFF");
        }

        Append(low);
        _target.Append('-');
        Append(high);
        _literals.Add((low, high));
    }

    /// <summary>Reads a character and returns it, or writes a set and returns null.</summary>
    private char? ClassAtom()
    {
        if (_source[_at] == '[' || string.CompareOrdinal(_source, _at, "&&", 0, 2) == 0)
        {
            throw Unsupported("a class within a class");
        }

        return _source[_at] == '\\' ? Escape() : _source[_at++];
    }

    /// <summary>Reads an escaped character and returns it, or writes an escaped set and returns null.</summary>
    private char? Escape()
    {
        if (_at + 1 >= _source.Length)
        {
            throw Unsupported("a backslash at the end");
        }

        char kind = _source[_at + 1];
        _at += 2;
        switch (kind)
        {
            case 'p' or 'P':
                Property(kind);
                return null;
            case 's' or 'S' or 'd' or 'D':
                // White space and decimal digits are the same sets in both engines.
                _target.Append('\\').Append(kind);
                return null;
            case 'r':
                return '\r';
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'x' or 'u':
                return Hexadecimal(kind);
            default:
                if (char.IsAsciiLetterOrDigit(kind))
                {
                    _at -= 2;
                    throw Unsupported($"the escape \\{kind}");
                }

                return kind;
        }
    }

    private void Property(char kind)
    {
        int close = _at < _source.Length && _source[_at] == '{' ? _source.IndexOf('}', _at) : -1;
        if (close < 0)
        {
            throw Unsupported($"\\{kind} without {{...}}");
        }

        string name = _source[(_at + 1)..close];
        bool negated = name.StartsWith('^');
        name = negated ? name[1..] : name;
        if (!"L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Cn Co".Split(' ').Contains(name))
        {
            throw Unsupported($"the property \\p{{{name}}}");
        }

        _target.Append(negated == (kind == 'P') ? @"\p{" : @"\P{").Append(name).Append('}');
        _at = close + 1;
    }

    private char Hexadecimal(char kind)
    {
        int length = kind == 'u' ? 4 : 2, from = _at;
        bool braced = kind == 'x' && _at < _source.Length && _source[_at] == '{';
        int close = braced ? _source.IndexOf('}', _at) : _at + length;
        from += braced ? 1 : 0;
        if (close < 0 || close > _source.Length
            || !int.TryParse(_source.AsSpan(from, close - from), System.Globalization.NumberStyles.AllowHexSpecifier, null, out int value) || value > char.MaxValue)
        {
            throw Unsupported("a character code that is malformed or above U+FFFF");
        }

        _at = braced ? close + 1 : close;
        return (char)value;
    }

    private void Interval()
    {
        int close = _source.IndexOf('}', _at);
        string[] bounds = close < 0 ? [] : _source[(_at + 1)..close].Split(',');
        if (bounds.Length is not (1 or 2) || bounds[0].Length == 0 || !bounds.All(bound => bound.All(char.IsAsciiDigit)))
        {
            throw Unsupported("this use of {");
        }

        _target.Append(_source, _at, close + 1 - _at);
        _at = close + 1;
    }

    private void Literal(char value, bool ignoreCase)
    {
        if (char.IsSurrogate(value))
        {
            throw Unsupported("a character above U+FFFF");
        }

        if (!ignoreCase || !char.IsLetter(value))
        {
            _literals.Add((value, value));
            Append(value);
            return;
        }

        if (!char.IsAsciiLetter(value))
        {
            throw Unsupported($"the letter {value} with case ignored");
        }

        char lower = char.ToLowerInvariant(value);
        string forms = $"{lower}{char.ToUpperInvariant(value)}{(lower == 's' ? LongS : lower == 'k' ? KelvinSign : null)}";
        _target.Append('[').Append(forms).Append(']');
        _literals.AddRange(forms.Select(form => (form, form)));
    }

    private void Append(char value) =>
        _target.Append(char.IsAsciiLetterOrDigit(value) ? value.ToString() : $"\\u{(int)value:X4}");

    private TokenizerFormatException Unsupported(string what) =>
        new(_json.File, $"{_json.Path}: the pattern {_source} uses {what} at character {_at + 1}, which is not supported");
}
