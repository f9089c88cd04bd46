namespace PureSharpQLoRA.PtxMachine;

/// <summary>PTX text that is malformed, or that this machine does not implement. Raised at parse time, never while running.</summary>
public sealed class PtxParseException(int line, string message, string text)
    : Exception($"PTX line {line}: {message}: {text}")
{
    public int Line { get; } = line;
    public string StatementText { get; } = text;
}
