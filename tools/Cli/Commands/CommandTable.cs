namespace PureSharpQLoRA.Cli.Commands;

/// <summary>All commands, in the order in which help lists them.</summary>
internal static class CommandTable
{
    public static IReadOnlyList<ICliCommand> All { get; } =
    [
        new TokenizeCommand(),
        new EstimateCommand(),
        new DevicesCommand(),
    ];
}
