using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class OptionTests
{
    private static readonly OptionDefinition[] Definitions =
    [
        new("learning-rate", OptionKind.Number, "") { Min = 0, Default = "0.0002" },
        new("r", OptionKind.Integer, "") { Min = 1, Default = "16" },
        new("packing", OptionKind.YesNo, "") { Default = "false" },
        new("dataset", OptionKind.Path, "") { IsRepeatable = true },
        new("target-modules", OptionKind.Names, "") { Default = "all-linear" },
        new("lr-scheduler-type", OptionKind.Choice, "") { Choices = ["linear", "cosine"], Default = "linear" },
        new("model-name-or-path", OptionKind.Path, "") { Aliases = ["model"] },
        new("memory", OptionKind.Size, ""),
    ];

    [Fact]
    public void Values_that_are_not_given_have_their_defaults()
    {
        var values = new OptionValues(Definitions);

        Assert.Equal(0.0002, values.Number("learning-rate"));
        Assert.Equal(16, values.Integer("r"));
        Assert.False(values.YesNo("packing"));
        Assert.Empty(values.List("dataset"));
        Assert.False(values.IsGiven("r"));
    }

    [Theory]
    [InlineData("learning-rate", "-1", "--learning-rate: '-1' is not allowed; it takes a number from 0 up.")]
    [InlineData("learning-rate", "1,5", "--learning-rate: '1,5' is not allowed; it takes a number from 0 up.")]
    [InlineData("r", "2.5", "--r: '2.5' is not allowed; it takes a whole number from 1 up.")]
    [InlineData("packing", "yes", "--packing: 'yes' is not allowed; it takes true or false.")]
    [InlineData("lr-scheduler-type", "cosin", "--lr-scheduler-type: 'cosin' is not allowed; it takes linear or cosine.")]
    [InlineData("memory", "16 apples", "--memory: '16 apples' is not allowed; it takes a size such as 16GiB.")]
    [InlineData("target-modules", ",", "--target-modules: ',' is not allowed; it takes names separated by commas.")]
    public void A_wrong_value_names_option_value_and_what_is_allowed(string name, string value, string message)
    {
        var values = new OptionValues(Definitions);

        UsageException error = Assert.Throws<UsageException>(() => values.Set(Definitions.Single(option => option.Name == name), [value], "--" + name));

        Assert.Equal(message, error.Message);
    }

    [Fact]
    public void Yaml_sets_scalars_lists_and_aliases()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string file = folder.File("run.yaml");
        File.WriteAllText(file, "learning_rate: 1e-4\nmodel: some/folder\npacking: true\ndataset: [a.jsonl, b.jsonl]\ntarget_modules:\n  - q_proj\n  - v_proj\nr: null\n");
        var values = new OptionValues(Definitions);

        YamlOptions.Read(file, values);

        Assert.Equal(1e-4, values.Number("learning-rate"));
        Assert.Equal("some/folder", values.Text("model-name-or-path"));
        Assert.True(values.YesNo("packing"));
        Assert.Equal(["a.jsonl", "b.jsonl"], values.List("dataset"));
        Assert.Equal(["q_proj", "v_proj"], values.Names("target-modules"));
        Assert.False(values.IsGiven("r"));
    }

    [Theory]
    [InlineData("r: 8\nlearning_rat: 1", ":2: unknown key 'learning_rat'. Did you mean learning_rate?")]
    [InlineData("learning-rate: 1", ":1: unknown key 'learning-rate'. Did you mean learning_rate?")]
    [InlineData("\nr: zero", ":2: r: 'zero' is not allowed; it takes a whole number from 1 up.")]
    [InlineData("r: [1, 2]", ":1: r takes a whole number from 1 up.")]
    [InlineData("just words", ": options are written as 'name: value', one per line.")]
    public void Yaml_errors_name_file_line_and_key(string text, string message)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string file = folder.File("run.yaml");
        File.WriteAllText(file, text);

        UsageException error = Assert.Throws<UsageException>(() => YamlOptions.Read(file, new OptionValues(Definitions)));

        Assert.Equal(file + message, error.Message);
    }

    [Theory]
    [InlineData("--lora-rnak", "--lora-rank")]
    [InlineData("--batch-size", "--per-device-train-batch-size")]
    [InlineData("--zzzzzz", null)]
    public void Suggestions_find_the_nearest_name(string written, string? expected) =>
        Assert.Equal(expected, Suggestion.Nearest(written, ["--lora-rank", "--lora-alpha", "--per-device-train-batch-size"]));

    [Theory]
    [InlineData("", "", 0)]
    [InlineData("abc", "", 3)]
    [InlineData("estimte", "estimate", 1)]
    [InlineData("evla", "eval", 1)]
    [InlineData("kitten", "sitting", 3)]
    public void Distances_count_edits(string left, string right, int distance) => Assert.Equal(distance, Suggestion.Distance(left, right));
}
