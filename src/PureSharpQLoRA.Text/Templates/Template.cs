using System.Text.Json;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>A Jinja template, read once and rendered as often as needed.</summary>
/// <remarks>
/// Thread-safe. The definition is Python's Jinja2 as Hugging Face's transformers sets it up for chat templates: the immutable sandbox, <c>trim_blocks</c>,
/// <c>lstrip_blocks</c>, loop controls, <c>tojson</c> without ASCII escaping, <c>raise_exception</c>, <c>strftime_now</c> and <c>{% generation %}</c>.
/// Templates are not trusted: work, text lengths and nesting are limited.
/// </remarks>
public sealed class Template
{
    private readonly SourceText _source;
    private readonly Body _body;

    private Template(SourceText source, Body body) => (_source, _body) = (source, body);

    /// <summary>The template's name, usually its file.</summary>
    public string Name => _source.Name;

    /// <summary>Whether the template has <c>{% generation %}</c> blocks.</summary>
    public bool MarksGenerated { get; private init; }

    /// <summary>Reads a template.</summary>
    /// <param name="name">Its name, for complaints.</param>
    /// <param name="text">Its text.</param>
    /// <exception cref="TemplateException">The text is no template.</exception>
    public static Template Parse(string name, string text)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(text);
        var source = new SourceText(name, text);
        return new Template(source, Parser.Read(source, out bool marksGenerated)) { MarksGenerated = marksGenerated };
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">A JSON object of the variables.</param>
    /// <param name="clock">What <c>strftime_now</c> takes for now; the local time if null.</param>
    /// <exception cref="TemplateException">The template fails, by itself or against a limit.</exception>
    public RenderedText Render(JsonElement variables, Func<DateTimeOffset>? clock = null)
    {
        var values = new Dictionary<string, object>();
        foreach (JsonProperty property in variables.EnumerateObject())
        {
            values[property.Name] = JsonValues.Of(property.Value);
        }

        return Render(values, clock);
    }

    /// <summary>Renders the template with values as it keeps them.</summary>
    internal RenderedText Render(IReadOnlyDictionary<string, object> variables, Func<DateTimeOffset>? clock = null)
    {
        var context = new RenderContext(variables, clock ?? (static () => DateTimeOffset.Now));
        try
        {
            _body.Begin(context.Scope);
            _body.Execute(context);
            return new RenderedText(context.Output.ToString(), context.Generated, context.HidesGenerated);
        }
        catch (TemplateFault fault)
        {
            throw _source.Error(context.Offset, fault.Message, fault);
        }
        catch (InsufficientExecutionStackException exception)
        {
            throw _source.Error(context.Offset, "the template nests too deep", exception);
        }
    }
}

/// <summary>What a template makes of its variables.</summary>
/// <param name="Text">The text.</param>
/// <param name="Generated">Where in it the text lies that <c>{% generation %}</c> marks, in order.</param>
/// <param name="HidesGenerated">Whether some of that text went through a macro or set block, so that its place is not known.</param>
public sealed record RenderedText(string Text, IReadOnlyList<TextSpan> Generated, bool HidesGenerated);
