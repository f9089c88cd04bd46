using System.CommandLine;
using System.CommandLine.Parsing;
using PureSharpQLoRA.Cli.Commands;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>Between the list of a command's options and the parser of command lines.</summary>
internal static class CommandParser
{
    /// <summary>The command as the parser knows it.</summary>
    public static Command Describe(ICliCommand command)
    {
        var described = new Command(command.Name, command.Summary);
        foreach (OptionDefinition definition in AllOptions(command))
        {
            string[] aliases = [.. definition.Aliases.Select(alias => "--" + alias)];
            Option option = definition.Kind == OptionKind.YesNo
                ? new Option<bool[]>("--" + definition.Name, aliases) { Arity = ArgumentArity.ZeroOrMore }
                : new Option<string[]>("--" + definition.Name, aliases) { Arity = ArgumentArity.OneOrMore };
            option.Description = definition.Help;
            if (definition.Choices.Count > 0)
            {
                option.CompletionSources.Add([.. definition.Choices]);
            }

            described.Options.Add(option);
        }

        if (command.Positional is { } positional)
        {
            described.Arguments.Add(new Argument<string?>(positional) { Arity = ArgumentArity.ZeroOrOne });
        }

        return described;
    }

    /// <summary>Reads the configuration file, then what the command line says.</summary>
    /// <exception cref="UsageException">Something is unknown, missing or not allowed.</exception>
    public static OptionValues Parse(ParseResult parsed, ICliCommand command, IReadOnlyList<string> args)
    {
        OptionDefinition[] definitions = [.. AllOptions(command)];
        // A mistyped option can end up as the word without a name, or as the value of the option before it.
        IEnumerable<string> taken = parsed.CommandResult.Children.Where(child => child is not OptionResult { Option: Option<bool[]> }).SelectMany(child => child.Tokens).Select(token => token.Value);
        if (parsed.UnmatchedTokens.Concat(taken).FirstOrDefault(word => word.StartsWith("--", StringComparison.Ordinal)) is { } option)
        {
            throw Unmatched(option, command, definitions, args);
        }

        if (parsed.Errors.FirstOrDefault(error => error.SymbolResult is OptionResult) is { SymbolResult: OptionResult failed })
        {
            OptionDefinition definition = definitions.First(known => "--" + known.Name == failed.Option.Name);
            throw new UsageException(failed.Tokens is [.., var last]
                ? $"--{definition.Name}: '{last.Value}' is not allowed; it takes {definition.Allowed}."
                : $"--{definition.Name}: a value is missing; it takes {definition.Allowed}.");
        }

        if (parsed.UnmatchedTokens is [var unknown, ..])
        {
            throw Unmatched(unknown, command, definitions, args);
        }

        var values = new OptionValues(definitions);
        var given = new List<(OptionDefinition Definition, string[] Values)>();
        foreach (OptionResult result in parsed.CommandResult.Children.OfType<OptionResult>())
        {
            if (!result.Implicit && definitions.FirstOrDefault(definition => "--" + definition.Name == result.Option.Name) is { } definition)
            {
                string[] words = [.. result.Tokens.Select(token => token.Value)];
                given.Add((definition, words.Length == 0 ? ["true"] : words));
            }
        }

        if (given.FirstOrDefault(option => option.Definition.Name == CommonOptions.Config).Values is [.., var file])
        {
            YamlOptions.Read(file, values);
        }

        foreach ((OptionDefinition definition, string[] words) in given)
        {
            values.Set(definition, words, "--" + definition.Name);
        }

        if (command.Positional is { } positional && parsed.CommandResult.Children.OfType<ArgumentResult>().FirstOrDefault()?.Tokens is [var word])
        {
            values.Set(definitions.First(definition => definition.Name == positional), [word.Value], positional);
        }

        values.CheckRequired();
        return values;
    }

    public static IEnumerable<OptionDefinition> AllOptions(ICliCommand command) => command.Options.Concat(CommonOptions.Everywhere);

    private static UsageException Unmatched(string word, ICliCommand command, OptionDefinition[] definitions, IReadOnlyList<string> args)
    {
        if (word.StartsWith("--", StringComparison.Ordinal))
        {
            string name = word.Split('=', ':')[0];
            IEnumerable<string> names = definitions.SelectMany(definition => definition.Aliases.Prepend(definition.Name)).Select(known => "--" + known);
            return new UsageException($"{command.Name} has no option {name}.{Suggestion.For(name, names)} See puresharp {command.Name} --help.");
        }

        int at = args.ToList().IndexOf(word);
        OptionDefinition? before = at < 1 ? null : definitions.FirstOrDefault(definition => "--" + definition.Name == args[at - 1]);
        return before is { Kind: OptionKind.YesNo }
            ? new UsageException($"--{before.Name}: '{word}' is not allowed; it takes {before.Allowed}.")
            : new UsageException($"'{word}' is out of place: {command.Name} takes options such as --{definitions[0].Name}. See puresharp {command.Name} --help.");
    }
}
