namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>One plot: what happens, in sentences to choose from, told plainly and told by a pirate. The syntax is <see cref="Template"/>'s.</summary>
internal sealed class Plot
{
    /// <summary>A short name, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>Roles that only this plot has; each is drawn and filled once per story, after the roles of every story.</summary>
    public IReadOnlyList<(string Role, string[] Choices)> Roles { get; init; } = [];

    /// <summary>First sentences; both voices begin with one of them.</summary>
    public required string[] Openings { get; init; }

    /// <summary>The story after its opening: one sentence of each row. An empty sentence leaves the row out.</summary>
    public required string[][] Plain { get; init; }

    /// <summary>What a pirate makes of the same opening: one sentence of each row.</summary>
    public required string[][] Pirate { get; init; }
}
