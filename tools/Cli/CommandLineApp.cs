using System.CommandLine;
using System.Reflection;
using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;

namespace PureSharpQLoRA.Cli;

/// <summary>From the words of a command line to an exit code.</summary>
internal static class CommandLineApp
{
    /// <summary>Runs a command. Errors become one line on the error stream.</summary>
    public static int Run(IReadOnlyList<string> args, CliHost host)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(host);
        bool verbose = args.Contains("--verbose");
        try
        {
            return Dispatch(args, host);
        }
        catch (Exception error)
        {
            host.Error.WriteLine("error: " + (ErrorText.For(error) ?? ErrorText.Unexpected(error)));
            if (verbose)
            {
                host.Error.WriteLine(error);
            }

            return error switch
            {
                UsageException => ExitCodes.Usage,
                OperationCanceledException => ExitCodes.Interrupted,
                _ => ExitCodes.Failed,
            };
        }
        finally
        {
            host.Output.Flush();
        }
    }

    /// <summary>A message without line breaks.</summary>
    public static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private static int Dispatch(IReadOnlyList<string> args, CliHost host)
    {
        if (args.Count == 0 || (args is [var only] && IsHelp(only)))
        {
            HelpText.WriteOverview(host.Output);
            return ExitCodes.Done;
        }

        if (args is ["--version"])
        {
            host.Output.WriteLine(Version);
            return ExitCodes.Done;
        }

        var root = new RootCommand("Fine-tunes language models with QLoRA.");
        foreach (ICliCommand known in CommandTable.All)
        {
            root.Subcommands.Add(CommandParser.Describe(known));
        }

        if (args[0].StartsWith("[suggest", StringComparison.Ordinal))
        {
            return root.Parse(args).Invoke(new InvocationConfiguration { Output = host.Output, Error = host.Error });
        }

        string name = args[0] == "help" && args.Count > 1 ? args[1] : args[0];
        ICliCommand command = CommandTable.All.FirstOrDefault(candidate => candidate.Name == name)
            ?? throw new UsageException($"There is no command '{name}'.{Suggestion.For(name, CommandTable.All.Select(candidate => candidate.Name))} See puresharp --help.");
        if (args[0] == "help" || args.Any(IsHelp))
        {
            HelpText.Write(host.Output, command);
            return ExitCodes.Done;
        }

        OptionValues values = CommandParser.Parse(root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null }), command, args);
        return command.Run(new CommandContext(host, values));
    }

    /// <summary>The version of the program.</summary>
    public static string Version { get; } =
        typeof(CommandLineApp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private static bool IsHelp(string word) => word is "--help" or "-h" or "-?";
}
