namespace PureSharpQLoRA.Text.Templates;

/// <summary>A template that cannot be read or rendered: which one, where in it, and what is wrong.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="template">The template's name, usually its file.</param>
    /// <param name="line">The line at fault, from 1.</param>
    /// <param name="column">The column at fault, from 1.</param>
    /// <param name="reason">What is wrong.</param>
    /// <param name="inner">The cause, if any.</param>
    public TemplateException(string template, int line, int column, string reason, Exception? inner = null)
        : base(FormattableString.Invariant($"{template}:{line}:{column}: {reason}"), inner) =>
        (Template, Line, Column, Reason) = (template, line, column, reason);

    /// <summary>The template's name, usually its file.</summary>
    public string Template { get; }

    /// <summary>The line at fault, from 1.</summary>
    public int Line { get; }

    /// <summary>The column at fault, from 1.</summary>
    public int Column { get; }

    /// <summary>What is wrong, without the place.</summary>
    public string Reason { get; }
}
