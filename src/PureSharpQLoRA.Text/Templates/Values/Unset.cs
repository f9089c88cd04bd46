namespace PureSharpQLoRA.Text.Templates;

/// <summary>What a frame's name holds before it is set.</summary>
internal static class Unset
{
    public static readonly object Value = new();
}
