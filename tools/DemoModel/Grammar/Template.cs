using System.Text;

namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>
/// Fills sentence templates. <c>{role}</c> is a word of the cast or a phrase drawn anew (<c>{Role}</c> begins with a capital);
/// <c>[one|two|]</c> is one of the alternatives, which nest; <c>a(n)</c> becomes "a" or "an" by what follows.
/// </summary>
internal static class Template
{
    private const string Article = "a(n) ";

    /// <summary>The filled template. Throws <see cref="FormatException"/> on an unknown role or an unclosed bracket.</summary>
    public static string Expand(string template, Cast cast, SplitMix64 random)
    {
        StringBuilder text = new();
        Append(text, template, cast, random);
        return ChooseArticles(text.ToString());
    }

    private static void Append(StringBuilder text, string template, Cast cast, SplitMix64 random)
    {
        for (int i = 0; i < template.Length; i++)
        {
            switch (template[i])
            {
                case '{':
                    int end = template.IndexOf('}', i);
                    if (end < 0)
                    {
                        throw new FormatException($"'{{' is not closed in the template: {template}");
                    }

                    AppendRole(text, template, template[(i + 1)..end], cast, random);
                    i = end;
                    break;
                case '[':
                    List<string> choices = Alternatives(template, ref i);
                    Append(text, random.Pick(choices), cast, random);
                    break;
                case '}' or ']':
                    throw new FormatException($"'{template[i]}' was never opened in the template: {template}");
                default:
                    text.Append(template[i]);
                    break;
            }
        }
    }

    private static void AppendRole(StringBuilder text, string template, string slot, Cast cast, SplitMix64 random)
    {
        string role = char.ToLowerInvariant(slot[0]) + slot[1..];
        int start = text.Length;
        if (cast[role] is { } words)
        {
            text.Append(words);
        }
        else if (Phrases.All.TryGetValue(role, out string[]? phrases))
        {
            Append(text, random.Pick(phrases), cast, random);
        }
        else
        {
            throw new FormatException($"'{{{slot}}}' is neither a role nor a phrase in the template: {template}");
        }

        if (char.IsUpper(slot[0]))
        {
            text[start] = char.ToUpperInvariant(text[start]);
        }
    }

    /// <summary>Splits the bracket that opens at <paramref name="i"/>, and moves <paramref name="i"/> to its end.</summary>
    private static List<string> Alternatives(string template, ref int i)
    {
        List<string> choices = [];
        int depth = 0;
        int start = i + 1;
        for (int k = i; k < template.Length; k++)
        {
            char c = template[k];
            depth += c == '[' ? 1 : c == ']' ? -1 : 0;
            if (depth == 0 || (depth == 1 && c == '|'))
            {
                choices.Add(template[start..k]);
                start = k + 1;
            }

            if (depth == 0)
            {
                i = k;
                return choices;
            }
        }

        throw new FormatException($"'[' is not closed in the template: {template}");
    }

    private static string ChooseArticles(string text)
    {
        StringBuilder result = new(text.Length);
        int done = 0;
        for (int at; (at = text.IndexOf(Article, done, StringComparison.OrdinalIgnoreCase)) >= 0; done = at + Article.Length)
        {
            result.Append(text, done, at - done).Append(text[at]);
            result.Append("aeiou".Contains(text[at + Article.Length], StringComparison.Ordinal) ? "n " : " ");
        }

        return result.Append(text, done, text.Length - done).ToString();
    }
}
