namespace PureSharpQLoRA.PtxMachine;

internal enum TokenKind { Word, Directive, Number, Punctuation, String, End }

/// <summary>One token; a directive's text is without its leading dot.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, int Start, int End)
{
    public bool Is(string punctuation) => Kind == TokenKind.Punctuation && Text == punctuation;
    public bool IsDirective(string name) => Kind == TokenKind.Directive && Text == name;
}

/// <summary>Splits PTX source into tokens (PTX ISA "Syntax": statements, comments, identifiers, constants).</summary>
internal sealed class PtxLexer(string source)
{
    private int position;
    private int line = 1;

    public List<Token> Tokenize()
    {
        var tokens = new List<Token>();
        while (true)
        {
            SkipBlanks();
            if (position >= source.Length)
            {
                tokens.Add(new Token(TokenKind.End, "", line, position, position));
                return tokens;
            }
            tokens.Add(Next());
        }
    }

    private char Peek(int ahead = 0) => position + ahead < source.Length ? source[position + ahead] : '\0';

    private void SkipBlanks()
    {
        while (position < source.Length)
        {
            char c = source[position];
            if (c == '\n') { line++; position++; }
            else if (char.IsWhiteSpace(c) || c == '\uFEFF' || c == '\0')
            {
                position++;
            }
            else if (c == '/' && Peek(1) == '/')
            {
                while (position < source.Length && source[position] != '\n')
                {
                    position++;
                }
            }
            else if (c == '/' && Peek(1) == '*')
            {
                position += 2;
                while (position < source.Length && !(source[position] == '*' && Peek(1) == '/'))
                {
                    if (source[position] == '\n')
                    {
                        line++;
                    }

                    position++;
                }
                position += 2;
            }
            else
            {
                return;
            }
        }
    }

    private Token Next()
    {
        int start = position;
        char c = source[position];
        if (c == '.' && (char.IsLetterOrDigit(Peek(1)) || Peek(1) == '_'))
        {
            position++;
            ScanWord();
            while (Peek() == ':' && Peek(1) == ':') { position += 2; ScanWord(); }
            return Make(TokenKind.Directive, start, start + 1);
        }
        if (char.IsLetter(c) || c is '_' or '$' or '%')
        {
            position++;
            ScanWord();
            return Make(TokenKind.Word, start, start);
        }
        if (char.IsDigit(c))
        {
            ScanNumber();
            return Make(TokenKind.Number, start, start);
        }
        if (c == '"')
        {
            position++;
            while (position < source.Length && source[position] != '"')
            {
                position++;
            }

            position++;
            return Make(TokenKind.String, start, start);
        }
        position++;
        return Make(TokenKind.Punctuation, start, start);
    }

    private Token Make(TokenKind kind, int start, int textStart) =>
        new(kind, source[textStart..position], line, start, position);

    private void ScanWord()
    {
        while (char.IsLetterOrDigit(Peek()) || Peek() is '_' or '$' or '%')
        {
            position++;
        }
    }

    private void ScanNumber()
    {
        if (Peek() == '0' && Peek(1) is 'x' or 'X' or 'f' or 'F' or 'd' or 'D' && Uri.IsHexDigit(Peek(2)))
        {
            position += 2;
            while (Uri.IsHexDigit(Peek()))
            {
                position++;
            }
        }
        else
        {
            while (char.IsLetterOrDigit(Peek()) || Peek() == '.' && char.IsDigit(Peek(1))
                || Peek() is '+' or '-' && source[position - 1] is 'e' or 'E')
            {
                position++;
            }
        }
        if (Peek() == 'U')
        {
            position++;
        }
    }
}
