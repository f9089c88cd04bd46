using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Generators.Diagnostics;

/// <summary>A finding about a config or item, at its place in config.json. Compares by value, so steps can be cached on it.</summary>
public sealed record ModelDiagnostic
{
    private readonly DiagnosticDescriptor _descriptor;
    private readonly EquatableArray<string> _arguments;
    private readonly SourceSpan _span;

    internal ModelDiagnostic(DiagnosticDescriptor descriptor, string path, SourceSpan span, params string[] arguments)
    {
        _descriptor = descriptor;
        _arguments = new EquatableArray<string>(arguments);
        _span = span;
        Path = path;
    }

    /// <summary>PSQ1xx for errors, PSQ2xx for warnings.</summary>
    public string Id => _descriptor.Id;

    /// <summary>Whether no code was emitted because of it.</summary>
    public bool IsError => _descriptor.DefaultSeverity == DiagnosticSeverity.Error;

    /// <summary>The config file.</summary>
    public string Path { get; }

    /// <summary>Line in the file, from 1.</summary>
    public int Line => _span.Line + 1;

    /// <summary>Column in the line in UTF-16 units, from 1.</summary>
    public int Column => _span.Column + 1;

    /// <summary>What is wrong and what to do, in one line.</summary>
    public string Message => string.Format(
        CultureInfo.InvariantCulture, _descriptor.MessageFormat.ToString(CultureInfo.InvariantCulture), [.. _arguments.Cast<object>()]);

    /// <summary>As compilers print it: path(line,column): error PSQ104: message.</summary>
    public override string ToString() =>
        string.Format(CultureInfo.InvariantCulture, "{0}({1},{2}): {3} {4}: {5}", Path, Line, Column, IsError ? "error" : "warning", Id, Message);

    internal Diagnostic ToDiagnostic()
    {
        var start = new LinePosition(_span.Line, _span.Column);
        var end = new LinePosition(_span.Line, _span.Column + _span.Length);
        var location = Location.Create(Path, new TextSpan(_span.Offset, _span.Length), new LinePositionSpan(start, end));
        return Diagnostic.Create(_descriptor, location, [.. _arguments.Cast<object>()]);
    }
}
