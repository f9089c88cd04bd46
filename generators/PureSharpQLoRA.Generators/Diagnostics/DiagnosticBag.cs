using Microsoft.CodeAnalysis;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Generators.Diagnostics;

/// <summary>Collects the findings about one config file.</summary>
internal sealed class DiagnosticBag(string path)
{
    private readonly List<ModelDiagnostic> _items = [];

    public bool HasErrors => _items.Exists(item => item.IsError);

    public void Add(DiagnosticDescriptor descriptor, SourceSpan span, params string[] arguments) =>
        _items.Add(new ModelDiagnostic(descriptor, path, span, arguments));

    public EquatableArray<ModelDiagnostic> ToArray() => _items.ToEquatableArray();
}
