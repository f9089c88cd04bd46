using System.Text.RegularExpressions;

namespace PureSharpQLoRA.Text;

/// <summary>Matches a regular expression in Oniguruma's syntax and over code points, as Hugging Face's library does.</summary>
/// <remarks>
/// .NET's engine works on UTF-16 halves, for which no category such as \p{L} holds. Text with astral characters is therefore first
/// projected: each code point becomes one character of the same category (<see cref="CodePointProjection"/>).
/// </remarks>
internal sealed class RegexPattern : SplitPattern
{
    private readonly Regex _regex;
    private readonly CodePointProjection _projection;

    public RegexPattern(string pattern, JsonField json)
    {
        OnigurumaPattern translated = OnigurumaPattern.Translate(pattern, json);
        try
        {
            _regex = new Regex(translated.Expression, RegexOptions.Compiled | RegexOptions.CultureInvariant);
        }
        catch (ArgumentException exception)
        {
            throw new TokenizerFormatException(json.File, $"{json.Path}: the pattern {pattern} cannot be compiled ({exception.Message})", exception);
        }

        _projection = new CodePointProjection(translated.Literals);
    }

    public override void Cut(ReadOnlySpan<char> text, List<PatternSpan> to)
    {
        int previous = 0;
        if (!CodePointProjection.IsNeeded(text))
        {
            foreach (ValueMatch match in _regex.EnumerateMatches(text))
            {
                AddMatch(to, ref previous, match.Index, match.Length);
            }

            AddRest(to, previous, text.Length);
            return;
        }

        (char[] projected, int[] starts) = _projection.Project(text);
        foreach (ValueMatch match in _regex.EnumerateMatches(projected))
        {
            int start = starts[match.Index];
            AddMatch(to, ref previous, start, starts[match.Index + match.Length] - start);
        }

        AddRest(to, previous, text.Length);
    }
}
