namespace PureSharpQLoRA.Text.Templates;

/// <summary>Reads a template into a syntax tree: going through its tokens.</summary>
internal sealed partial class Parser
{
    /// <summary>Links of the chains of one tag, such as <c>a.b|c + d</c>: a chain is evaluated as deep as it is long.</summary>
    private const int MostLinks = 400;

    private bool SkipName(string name)
    {
        bool found = Current.IsName(name);
        _at += found ? 1 : 0;
        return found;
    }

    private bool SkipOperator(string sign)
    {
        bool found = Current.IsOperator(sign);
        _at += found ? 1 : 0;
        return found;
    }

    private void ExpectName(string name)
    {
        if (!SkipName(name))
        {
            throw Unexpected($"'{name}'");
        }
    }

    private void ExpectOperator(string sign)
    {
        if (!SkipOperator(sign))
        {
            throw Unexpected($"'{sign}'");
        }
    }

    private void Expect(TokenKind kind, string sign) => ExpectKind(kind, $"'{sign}'");

    private void ExpectKind(TokenKind kind, string what)
    {
        if (Current.Kind != kind)
        {
            throw Unexpected(what);
        }

        _at++;
    }

    private TemplateException Unexpected(string expected) => _source.Error(Current.Offset, $"{expected} is expected, and found is {Current.Shown}");

    private void Enter()
    {
        if (++_depth > TemplateLimits.Nesting)
        {
            throw _source.Error(Current.Offset, $"blocks and expressions are nested more than {TemplateLimits.Nesting} deep");
        }
    }

    private T Chained<T>(T link)
        where T : Expression =>
        ++_links <= MostLinks ? link : throw _source.Error(link.Offset, $"the tag has more than {MostLinks} operations");

    /// <summary>Lets filters and tests that were found missing since then be an error only where they are reached.</summary>
    private void Forgive(int known) => _unknown.RemoveRange(known, _unknown.Count - known);

    private void RequireKnown(int known)
    {
        if (_unknown.Count > known)
        {
            throw _unknown[known];
        }
    }
}
