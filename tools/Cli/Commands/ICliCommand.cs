using PureSharpQLoRA.Cli.Options;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A command: what it takes, and what it does with it.</summary>
internal interface ICliCommand
{
    string Name { get; }

    /// <summary>One sentence without its full stop.</summary>
    string Summary { get; }

    /// <summary>What is listed first in help; the options that every command has are not among them.</summary>
    IReadOnlyList<OptionDefinition> Options { get; }

    /// <summary>The option that a word without a name is for, or null.</summary>
    string? Positional => null;

    /// <returns>The exit code.</returns>
    int Run(CommandContext context);
}
