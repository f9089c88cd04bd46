using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Reads the quoted texts of a template, with Python's escapes.</summary>
internal static class StringReader
{
    public static string Read(SourceText source, ref int at)
    {
        string text = source.Text;
        int start = at;
        char quote = text[at++];
        var value = new StringBuilder();
        while (at < text.Length && text[at] != quote)
        {
            if (text[at] != '\\')
            {
                value.Append(text[at++]);
            }
            else if (at + 1 < text.Length)
            {
                ReadEscape(source, ref at, value);
            }
            else
            {
                break;
            }
        }

        if (at >= text.Length)
        {
            throw source.Error(start, $"the string that begins here has no end: {quote} is missing");
        }

        at++;
        return value.ToString();
    }

    private static void ReadEscape(SourceText source, ref int at, StringBuilder value)
    {
        int start = at;
        char kind = source.Text[at + 1];
        at += 2;
        switch (kind)
        {
            case '\n':
                break;
            case '\\' or '\'' or '"':
                value.Append(kind);
                break;
            case 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v':
                value.Append("\a\b\f\n\r\t\v"["abfnrtv".IndexOf(kind, StringComparison.Ordinal)]);
                break;
            case 'x' or 'u' or 'U':
                AppendCodePoint(source, start, Hex(source, start, ref at, kind == 'x' ? 2 : kind == 'u' ? 4 : 8), value);
                break;
            case >= '0' and <= '7':
                int octal = kind - '0';
                for (int digits = 1; digits < 3 && at < source.Text.Length && source.Text[at] is >= '0' and <= '7'; digits++)
                {
                    octal = (octal * 8) + source.Text[at++] - '0';
                }

                value.Append((char)octal);
                break;
            case 'N':
                throw source.Error(start, "characters by name (\\N{...}) are not supported; write \\uXXXX");
            default:
                value.Append('\\').Append(kind);
                break;
        }
    }

    private static uint Hex(SourceText source, int start, ref int at, int digits)
    {
        if (at + digits > source.Text.Length || !uint.TryParse(source.Text.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value))
        {
            throw source.Error(start, $"the escape needs {digits} hexadecimal digits");
        }

        at += digits;
        return value;
    }

    private static void AppendCodePoint(SourceText source, int start, uint codePoint, StringBuilder value)
    {
        if (codePoint <= char.MaxValue)
        {
            value.Append((char)codePoint);
        }
        else if (codePoint <= 0x10FFFF)
        {
            value.Append(char.ConvertFromUtf32((int)codePoint));
        }
        else
        {
            throw source.Error(start, "there is no such character");
        }
    }
}
