using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>The state of one rendering: variables, output, and what is left of the limits.</summary>
internal sealed class RenderContext
{
    private readonly IReadOnlyDictionary<string, object> _variables;
    private long _work;
    private int _callDepth;

    public RenderContext(IReadOnlyDictionary<string, object> variables, Func<DateTimeOffset> clock)
    {
        _variables = variables;
        Clock = clock;
        _work = TemplateLimits.Work;
        foreach (object value in variables.Values)
        {
            // Long conversations are allowed more.
            _work += 64 * Container.WeightOf(value);
        }
    }

    public Func<DateTimeOffset> Clock { get; }

    public Scope Scope { get; set; } = new(null);

    public StringBuilder Output { get; private set; } = new();

    /// <summary>Where in the template the current operation is.</summary>
    public int Offset { get; set; }

    /// <summary>Where in the output the text lies that the template marks as generated; empty where it marks none.</summary>
    public List<TextSpan> Generated { get; } = [];

    /// <summary>Whether generated text was written into a macro's result or a set block, from where nobody knows where it goes.</summary>
    public bool HidesGenerated { get; private set; }

    private bool IsCapturing { get; set; }

    public object Variable(string name) =>
        Scope.Find(name) is { } found ? (ReferenceEquals(found, Unset.Value) ? Undefined.Variable(name) : found)
            : _variables.TryGetValue(name, out object? value) ? value : Globals.Find(name) ?? Undefined.Variable(name);

    /// <summary>Pays for work.</summary>
    public void Charge(long units)
    {
        _work -= units;
        if (_work < 0)
        {
            throw new TemplateFault("the template does more work than a template may");
        }
    }

    /// <summary>Pays for a text before it is made.</summary>
    public void ChargeText(long length)
    {
        if (length > TemplateLimits.TextLength)
        {
            throw new TemplateFault($"a text of {length} characters is longer than the {TemplateLimits.TextLength} that are allowed");
        }

        Charge(length >> 3);
    }

    public void Write(string text)
    {
        Charge(1 + (text.Length >> 3));
        if ((long)Output.Length + text.Length > TemplateLimits.TextLength)
        {
            throw new TemplateFault($"the output is longer than the {TemplateLimits.TextLength} characters that are allowed");
        }

        Output.Append(text);
    }

    /// <summary>The text that statements write.</summary>
    public string Capture(Statement body)
    {
        StringBuilder outer = Output;
        bool capturing = IsCapturing;
        (Output, IsCapturing) = (new StringBuilder(), true);
        try
        {
            body.Execute(this);
            return Output.ToString();
        }
        finally
        {
            (Output, IsCapturing) = (outer, capturing);
        }
    }

    /// <summary>Notes that the output from a place on is generated.</summary>
    public void MarkGenerated(int start)
    {
        if (IsCapturing)
        {
            HidesGenerated = true;
        }
        else
        {
            Generated.Add(new TextSpan(start, Output.Length));
        }
    }

    /// <summary>Runs a macro's or recursive loop's body one level deeper, in a frame of its own.</summary>
    public T Nested<T>(Scope scope, Func<RenderContext, T> body)
    {
        if (_callDepth == TemplateLimits.CallDepth)
        {
            throw new TemplateFault($"macros call each other more than {TemplateLimits.CallDepth} deep");
        }

        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        Scope outer = Scope;
        Scope = scope;
        _callDepth++;
        try
        {
            return body(this);
        }
        finally
        {
            _callDepth--;
            Scope = outer;
        }
    }
}
