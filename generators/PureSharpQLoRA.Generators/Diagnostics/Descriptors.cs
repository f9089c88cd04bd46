using Microsoft.CodeAnalysis;

namespace PureSharpQLoRA.Generators.Diagnostics;

/// <summary>Every diagnostic the generator reports.</summary>
internal static class Descriptors
{
    private const string Category = "PureSharpQLoRA";

    public static readonly DiagnosticDescriptor Unreadable = Error("PSQ100", "Config cannot be read", "{0} cannot be read");
    public static readonly DiagnosticDescriptor InvalidJson = Error("PSQ101", "Config is not JSON", "{0}");
    public static readonly DiagnosticDescriptor MissingField = Error("PSQ102", "Config lacks a field", "'{0}' is missing; {1}");
    public static readonly DiagnosticDescriptor WrongType = Error("PSQ103", "Field of the wrong type", "'{0}' must be {1}, but is {2}");
    public static readonly DiagnosticDescriptor OutOfRange = Error("PSQ104", "Value out of range", "'{0}' is {1}, but must be {2}");
    public static readonly DiagnosticDescriptor Contradiction = Error("PSQ105", "Fields contradict each other", "{0}");
    public static readonly DiagnosticDescriptor UnknownFamily =
        Error("PSQ110", "Unsupported model_type", "model_type '{0}' is not supported; supported are {1}");
    public static readonly DiagnosticDescriptor UnsupportedValue =
        Error("PSQ111", "Unsupported feature", "'{0}' is {1}, which would change the result and is not supported; {2}");
    public static readonly DiagnosticDescriptor UnsupportedRotary =
        Error("PSQ112", "Unsupported rotary scaling", "Rotary scaling '{0}' is not supported; supported are {1}");
    public static readonly DiagnosticDescriptor UnsupportedQuantization = Error("PSQ113", "Unsupported quantisation", "{0}");
    public static readonly DiagnosticDescriptor InvalidMetadata = Error("PSQ120", "Invalid HuggingFaceModel item", "HuggingFaceModel has {0}=\"{1}\"; {2}");
    public static readonly DiagnosticDescriptor DuplicateClass =
        Error("PSQ121", "Two models share a class name", "{0} is the class of more than one HuggingFaceModel item; give each its own ClassName or Namespace");
    public static readonly DiagnosticDescriptor OverBudget =
        new("PSQ201", "Model does not fit in VramBudget", "{0}", Category, DiagnosticSeverity.Warning, isEnabledByDefault: true);

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, Category, DiagnosticSeverity.Error, isEnabledByDefault: true);
}
