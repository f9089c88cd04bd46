using PureSharpQLoRA.Cli.Commands;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>Writes what --help shows.</summary>
internal static class HelpText
{
    private const int NameWidth = 34;

    public static void WriteOverview(TextWriter output)
    {
        output.WriteLine($"puresharp {CommandLineApp.Version}: fine-tunes language models with QLoRA.");
        output.WriteLine();
        output.WriteLine("Usage: puresharp COMMAND [options]");
        output.WriteLine();
        foreach (ICliCommand command in CommandTable.All)
        {
            output.WriteLine($"  {command.Name,-12}{command.Summary}");
        }

        output.WriteLine();
        output.WriteLine("puresharp COMMAND --help shows the options of a command. To begin: puresharp demo");
    }

    public static void Write(TextWriter output, ICliCommand command)
    {
        output.WriteLine($"puresharp {command.Name}: {command.Summary}.");
        output.WriteLine();
        string positional = command.Positional is { } name ? $" [{name.ToUpperInvariant()}]" : "";
        output.WriteLine($"Usage: puresharp {command.Name}{positional} [options]");
        foreach (IGrouping<string, OptionDefinition> group in CommandParser.AllOptions(command).GroupBy(option => option.Group))
        {
            output.WriteLine();
            output.WriteLine(group.Key + ":");
            foreach (OptionDefinition option in group)
            {
                WriteOption(output, option);
            }
        }
    }

    private static void WriteOption(TextWriter output, OptionDefinition option)
    {
        string names = string.Join(", ", option.Aliases.Select(alias => "--" + alias).Prepend("--" + option.Name));
        string value = option.Kind switch
        {
            OptionKind.YesNo => "",
            OptionKind.Choice => " " + string.Join('|', option.Choices),
            OptionKind.Integer => " N",
            OptionKind.Number => " X",
            OptionKind.Names => " A,B,...",
            OptionKind.Size => " SIZE",
            OptionKind.Path => " PATH",
            _ => " TEXT",
        };
        string head = "  " + names + value;
        string remark = option.IsRequired ? " (required)"
            : option.DefaultText is { } text ? $" (default: {text})"
            : option.Default is { } standard && standard != "false" ? $" (default: {standard})"
            : option.IsRepeatable ? " (repeatable)" : "";
        if (head.Length > NameWidth)
        {
            output.WriteLine(head);
            head = "";
        }

        output.WriteLine($"{head.PadRight(NameWidth)}  {option.Help}{remark}");
    }
}
