namespace PureSharpQLoRA.Cli;

/// <summary>What the process returns.</summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;

    /// <summary>Interrupted; the state is saved.</summary>
    public const int Interrupted = 130;
}
