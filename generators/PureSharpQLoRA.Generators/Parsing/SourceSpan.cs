namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>A place within one line of a text, counted from 0 in UTF-16 units.</summary>
internal readonly record struct SourceSpan(int Offset, int Length, int Line, int Column);
