using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class UsageTests
{
    public static TheoryData<string> CommandNames => [.. CommandTable.All.Select(command => command.Name)];

    [Fact]
    public void Without_a_command_all_are_listed()
    {
        CliRun run = CliRun.Of().MustExitWith(ExitCodes.Done);

        Assert.All(CommandTable.All, command => Assert.Contains($"  {command.Name} ", run.Output, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(CommandNames))]
    public void Help_lists_every_option_once(string command)
    {
        CliRun run = CliRun.Of(command, "--help").MustExitWith(ExitCodes.Done);

        ICliCommand known = CommandTable.All.Single(candidate => candidate.Name == command);
        string[] lines = run.Output.Split('\n');
        Assert.All(CommandParser.AllOptions(known), option => Assert.Single(lines, line => line.StartsWith($"  --{option.Name}", StringComparison.Ordinal)
            && line[(4 + option.Name.Length)..].TrimEnd('\r') is "" or [' ' or ',', ..]));
    }

    [Theory]
    [MemberData(nameof(CommandNames))]
    public void Options_have_allowed_defaults_and_unique_names(string command)
    {
        OptionDefinition[] options = [.. CommandParser.AllOptions(CommandTable.All.Single(candidate => candidate.Name == command))];

        Assert.All(options, option => Assert.True(option.Default is null || option.Normalize(option.Default) is not null, option.Name));
        string[] names = [.. options.SelectMany(option => option.Aliases.Append(option.Name))];
        Assert.Equal(names.Length, names.Distinct().Count());
    }

    [Theory]
    [InlineData("There is no command 'estimte'. Did you mean estimate?", "estimte")]
    [InlineData("estimate has no option --modle. Did you mean --model?", "estimate", "--modle", "x")]
    [InlineData("tokenize has no option --modle. Did you mean --model?", "tokenize", "--modle", "x")]
    [InlineData("tokenize has no option --inptu. Did you mean --input?", "tokenize", "--model", "--inptu", "x")]
    [InlineData("--gradient-checkpointing: 'maybe' is not allowed; it takes true or false.", "estimate", "--model", "m", "--gradient-checkpointing", "maybe")]
    [InlineData("--card: a value is missing; it takes rtx3060", "estimate", "--model", "m", "--card")]
    [InlineData("--r: '0' is not allowed; it takes a whole number from 1 up.", "estimate", "--model", "m", "--r", "0")]
    [InlineData("--model-name-or-path is missing: ", "estimate")]
    [InlineData("--r is given 2 times; once is allowed.", "estimate", "--model", "m", "--r", "1", "--r", "2")]
    [InlineData("'extra' is out of place", "devices", "extra")]
    [InlineData("--config: there is no file nowhere.yaml.", "devices", "--config", "nowhere.yaml")]
    public void Wrong_usage_is_one_line_and_exit_code_2(string message, params string[] args)
    {
        CliRun run = CliRun.Of(args).MustExitWith(ExitCodes.Usage);

        Assert.StartsWith("error: " + message, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Empty(run.Output);
    }

    [Fact]
    public void A_stack_trace_shows_only_with_verbose()
    {
        Assert.DoesNotContain("   at ", CliRun.Of("estimate", "--model", "nowhere").MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);
        Assert.Contains("   at ", CliRun.Of("estimate", "--model", "nowhere", "--verbose").MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_command_line_wins_over_the_configuration_file()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllText(folder.File("config.json"), Configs.Tiny);
        File.WriteAllText(folder.File("run.yaml"), $"model_name_or_path: {folder.Path}\nr: 4\nmax_length: 64\n");

        CliRun run = CliRun.Of("estimate", "--config", folder.File("run.yaml"), "--r", "8", "--json").MustExitWith(ExitCodes.Done);

        Assert.Contains("\"length\":64,\"r\":8,", run.Output, StringComparison.Ordinal);
    }
}
