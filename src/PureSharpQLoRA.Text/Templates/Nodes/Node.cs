namespace PureSharpQLoRA.Text.Templates;

/// <summary>A part of a template's syntax tree.</summary>
/// <param name="offset">Where in the template it stands.</param>
internal abstract class Node(int offset)
{
    public int Offset { get; } = offset;
}

/// <summary>A part that has a value.</summary>
/// <param name="offset">Where in the template it stands.</param>
internal abstract class Expression(int offset) : Node(offset)
{
    public abstract object Evaluate(RenderContext context);
}

/// <summary>What a statement does to the loop around it.</summary>
internal enum Flow
{
    /// <summary>The next statement follows.</summary>
    Next,

    /// <summary>The loop ends.</summary>
    Break,

    /// <summary>The loop's next pass begins.</summary>
    Continue,
}

/// <summary>A part that writes, sets or decides.</summary>
/// <param name="offset">Where in the template it stands.</param>
internal abstract class Statement(int offset) : Node(offset)
{
    public abstract Flow Execute(RenderContext context);
}
