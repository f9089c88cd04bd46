using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class EstimateTests
{
    [Fact]
    public void The_table_of_an_8B_Llama_is_as_it_was()
    {
        using TemporaryFolder folder = NewModel("Llama-8B", Configs.Llama8B);

        CliRun run = CliRun.Of("estimate", "--model", folder.File("Llama-8B"), "--bnb-4bit-use-double-quant").MustExitWith(ExitCodes.Done);

        Golden.Match(run.Output, TestFiles.InRepository("tests", "PureSharpQLoRA.Cli.Tests", "Data", "estimate-8b.txt"));
    }

    [Fact]
    public void An_8B_Llama_needs_72_GB_in_full_and_7_to_8_with_QLoRA()
    {
        using TemporaryFolder folder = NewModel("Llama-8B", Configs.Llama8B);

        using JsonDocument table = JsonDocument.Parse(CliRun.Of(
            "estimate", folder.File("Llama-8B", "config.json"), "--bnb-4bit-use-double-quant", "--json").MustExitWith(ExitCodes.Done).Output);

        Assert.InRange(table.RootElement.GetProperty("qlora").GetProperty("total_bytes").GetInt64() / 1e9, 6.5, 8.0);
        Assert.True(table.RootElement.GetProperty("full").GetProperty("total_bytes").GetInt64() >= 72e9);
    }

    [Fact]
    public void Optimizer_states_in_8_bits_take_about_a_quarter()
    {
        using TemporaryFolder folder = NewModel("Llama-8B", Configs.Llama8B);

        double whole = States("adamw_torch"), quarter = States("paged_adamw_8bit");

        Assert.InRange(quarter / whole, 0.25, 0.26);

        double States(string optimizer)
        {
            CliRun run = CliRun.Of("estimate", folder.File("Llama-8B"), "--optim", optimizer, "--json").MustExitWith(ExitCodes.Done);
            using JsonDocument table = JsonDocument.Parse(run.Output);
            return table.RootElement.GetProperty("qlora").GetProperty("optimizer_states_bytes").GetInt64();
        }
    }

    [Fact]
    public void A_size_replaces_the_list_of_cards()
    {
        using TemporaryFolder folder = NewModel("tiny", Configs.Tiny);

        using JsonDocument table = JsonDocument.Parse(CliRun.Of("estimate", "--model", folder.File("tiny"), "--memory", "16GiB", "--json").MustExitWith(ExitCodes.Done).Output);

        JsonElement budget = Assert.Single(table.RootElement.GetProperty("budgets").EnumerateArray());
        Assert.Equal(16L << 30, budget.GetProperty("usable_bytes").GetInt64());
        Assert.Equal(256, budget.GetProperty("longest_context").GetProperty("qlora").GetInt32());
    }

    [Fact]
    public void An_unknown_target_names_the_known_ones()
    {
        using TemporaryFolder folder = NewModel("tiny", Configs.Tiny);

        CliRun run = CliRun.Of("estimate", "--model", folder.File("tiny"), "--target-modules", "q_proj,w_proj").MustExitWith(ExitCodes.Usage);

        Assert.StartsWith("error: --target-modules: 'w_proj' names no linear layer; there are", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_config_shows_line_and_column()
    {
        using TemporaryFolder folder = NewModel("wrong", Configs.Tiny.Replace("\"llama\"", "\"mamba\"", StringComparison.Ordinal));

        CliRun run = CliRun.Of("estimate", "--model", folder.File("wrong")).MustExitWith(ExitCodes.Failed);

        Assert.StartsWith($"error: {folder.File("wrong", "config.json")}(2,17): PSQ110: model_type 'mamba' is not supported", run.Error, StringComparison.Ordinal);
    }

    private static TemporaryFolder NewModel(string name, string config)
    {
        TemporaryFolder folder = TestFiles.NewFolder();
        Directory.CreateDirectory(folder.File(name));
        File.WriteAllText(folder.File(name, "config.json"), config);
        return folder;
    }
}
