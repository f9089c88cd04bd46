namespace PureSharpQLoRA.Cli.Options;

/// <summary>What the values of an option look like.</summary>
internal enum OptionKind
{
    Text,
    Path,
    Integer,
    Number,
    YesNo,
    Choice,

    /// <summary>Names separated by commas.</summary>
    Names,

    /// <summary>Bytes, such as 16GiB.</summary>
    Size,
}
