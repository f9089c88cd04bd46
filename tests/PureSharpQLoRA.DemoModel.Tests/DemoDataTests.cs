using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.DemoModel.Tests;

public class DemoDataTests
{
    private static List<string> Values(string path, string field)
    {
        List<string> values = [];
        foreach (string line in File.ReadLines(path))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            values.Add(json.RootElement.GetProperty(field).GetString()!);
        }

        return values;
    }

    [Fact]
    public void The_bundled_files_are_what_the_documented_command_writes()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        DemoData.Write(folder.Path, stories: 10);
        foreach (string name in (string[])["style-train.jsonl", "style-heldout.jsonl"])
        {
            Golden.Match(File.ReadAllText(folder.File(name)), TestFiles.InRepository("tools", "Cli", "Demo", "data", name));
        }
    }

    [Fact]
    public void Held_out_examples_are_in_no_training_file()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        DemoData.Write(folder.Path, stories: 5_000, seed: 3);
        Check("base", "text", 5_000, 200);
        Check("style", "prompt", 1_400, 100);

        void Check(string kind, string field, int train, int heldout)
        {
            string trained = folder.File(kind == "base" ? "base.jsonl" : "style-train.jsonl");
            List<string> known = Values(trained, field), unknown = Values(folder.File(kind + "-heldout.jsonl"), field);
            Assert.Equal(train, known.Distinct().Count());
            Assert.Equal(heldout, unknown.Distinct().Count());
            Assert.Empty(known.Intersect(unknown));
        }
    }

    [Fact]
    public void A_completion_begins_with_the_space_that_parts_it_from_its_prompt()
    {
        string path = TestFiles.InRepository("tools", "Cli", "Demo", "data", "style-train.jsonl");
        Assert.All(Values(path, "completion"), text => Assert.Matches("^ [A-Z].*!$", text));
        Assert.All(Values(path, "prompt"), text => Assert.Matches("^[A-Z].*[.]$", text));
        Assert.InRange(new FileInfo(path).Length, 200_000, 330_000);
    }

    [Fact]
    public void More_stories_begin_with_the_same_ones()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        DemoData.Write(folder.File("few"), stories: 10);
        DemoData.Write(folder.File("more"), stories: 20);
        Assert.Equal(File.ReadLines(folder.File("few", "base.jsonl")), File.ReadLines(folder.File("more", "base.jsonl")).Take(10));
        Assert.Equal(File.ReadAllText(folder.File("few", "base-heldout.jsonl")), File.ReadAllText(folder.File("more", "base-heldout.jsonl")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void A_count_below_one_is_refused(int stories)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Assert.Throws<ArgumentOutOfRangeException>(() => DemoData.Write(folder.Path, stories));
    }

    [Fact]
    public void The_model_has_the_documented_number_of_weights()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(TestFiles.InRepository("tools", "DemoModel", "config.json")));
        int Field(string name) => json.RootElement.GetProperty(name).GetInt32();
        int width = Field("hidden_size"), head = Field("head_dim"), query = Field("num_attention_heads") * head;
        int keyValue = Field("num_key_value_heads") * head, mlp = Field("intermediate_size");
        Assert.All([width, query, keyValue, mlp, Field("vocab_size")], size => Assert.Equal(0, size % 32));
        int layer = (2 * width * query) + (2 * width * keyValue) + (3 * width * mlp) + (2 * width);
        Assert.True(json.RootElement.GetProperty("tie_word_embeddings").GetBoolean());
        Assert.Equal(1_238_656, (Field("num_hidden_layers") * layer) + (Field("vocab_size") * width) + width);
    }
}
