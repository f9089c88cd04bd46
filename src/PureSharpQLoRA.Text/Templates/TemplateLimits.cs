namespace PureSharpQLoRA.Text.Templates;

/// <summary>What a template may use up: templates come with models from elsewhere and must neither hang nor fill the memory.</summary>
internal static class TemplateLimits
{
    /// <summary>Characters of a template.</summary>
    public const int SourceLength = 1 << 22;

    /// <summary>Nested expressions, statements and lazy sequences.</summary>
    public const int Nesting = 150;

    /// <summary>Macro calls within macro calls.</summary>
    public const int CallDepth = 150;

    /// <summary>Containers within containers.</summary>
    public const int ValueDepth = 150;

    /// <summary>Elements of a container, those of inner containers and a share of their texts included.</summary>
    public const long ValueWeight = 1 << 22;

    /// <summary>Characters of one text.</summary>
    public const int TextLength = 1 << 24;

    /// <summary>Units of work of one rendering; about a tenth of a microsecond each, at the most.</summary>
    public const long Work = 2_000_000;

    /// <summary>Elements of a range, as in Jinja's sandbox.</summary>
    public const int RangeLength = 100_000;

    /// <summary>Bits of an integer.</summary>
    public const long IntegerBits = 1 << 16;

    /// <summary>Decimal digits of an integer that is printed or read, as in Python.</summary>
    public const int IntegerDigits = 4300;
}
