namespace PureSharpQLoRA.Text.Templates;

/// <summary>A value made of values. None ever changes after it was made, so its weight and depth bound every walk through it.</summary>
internal abstract class Container
{
    /// <summary>Elements, those of inner containers and a share of their texts included.</summary>
    public long Weight { get; private set; } = 1;

    /// <summary>How deep containers nest.</summary>
    public int Depth { get; private set; } = 1;

    /// <summary>The weight of any value.</summary>
    public static long WeightOf(object value) => value switch
    {
        string text => 1 + (text.Length >> 4),
        Markup markup => 1 + (markup.Text.Length >> 4),
        Container container => container.Weight,
        _ => 1,
    };

    protected void Count(object element)
    {
        Weight += WeightOf(element);
        if (element is Container container && container.Depth >= Depth)
        {
            Depth = container.Depth + 1;
        }

        if (Weight > TemplateLimits.ValueWeight)
        {
            throw new TemplateFault("a list or dict has grown too large");
        }

        if (Depth > TemplateLimits.ValueDepth)
        {
            throw new TemplateFault($"lists or dicts are nested more than {TemplateLimits.ValueDepth} deep");
        }
    }
}
