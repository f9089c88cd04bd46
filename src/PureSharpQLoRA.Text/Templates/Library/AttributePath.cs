using System.Globalization;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>The attribute that filters look at: a name, an index, or several with points between them.</summary>
internal static class AttributePath
{
    /// <summary>A function that gives an element's attribute; the element itself if there is none to look at.</summary>
    public static Func<object, object> Getter(RenderContext context, object? attribute, object? otherwise)
    {
        object[] parts = attribute switch
        {
            null or None => [],
            string text => [.. text.Split('.').Select(Part)],
            _ => [attribute],
        };
        return item =>
        {
            foreach (object part in parts)
            {
                item = Attributes.OfElement(context, item, part);
                if (item is Undefined && otherwise is not (null or None))
                {
                    item = otherwise;
                }
            }

            return item;
        };
    }

    /// <summary>As <see cref="Getter"/>, for values to be ordered: lower case unless case matters.</summary>
    public static Func<object, object> Key(RenderContext context, object? attribute, object? caseSensitive, object? otherwise = null)
    {
        Func<object, object> getter = Getter(context, attribute, otherwise);
        return caseSensitive is { } flag && Comparison.IsTrue(flag) ? getter : item => getter(item) is string text ? Casing.Lower(text) : getter(item);
    }

    private static object Part(string text) => text.Length is > 0 and < 10 && text.All(char.IsAsciiDigit) ? Boxed.Integer(long.Parse(text, CultureInfo.InvariantCulture)) : text;
}
