namespace PureSharpQLoRA.Cli.Commands;

/// <summary>All commands, in the order in which help lists them.</summary>
internal static class CommandTable
{
    public static IReadOnlyList<ICliCommand> All { get; } =
    [
        new DemoCommand(),
        new TrainCommand(),
        new EvalCommand(),
        new GenerateCommand(),
        new QuantizeCommand(),
        new MergeCommand(),
        new ExportCommand(),
        new TokenizeCommand(),
        new InspectCommand(),
        new RenderCommand(),
        new EstimateCommand(),
        new DevicesCommand(),
        new InitCommand(),
        new NewCommand(),
    ];
}
