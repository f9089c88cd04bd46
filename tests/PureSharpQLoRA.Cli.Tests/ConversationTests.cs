using System.Text.Json;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class ConversationTests : IClassFixture<TinyModel>
{
    private const string Template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}";
    private const string Row = """{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "The cat sat"}]}""";

    private readonly TinyModel _model;
    private readonly string _data;

    public ConversationTests(TinyModel model)
    {
        _model = model;
        _data = model.NewPath("chat.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(_data)!);
        File.WriteAllText(_data, string.Concat(Enumerable.Repeat(Row + "\n", 20)));
        File.WriteAllText(Path.Combine(model.Folder, "chat_template.jinja"), Template);
    }

    [Fact]
    public void Render_shows_what_is_learnt()
    {
        File.WriteAllText(_data, Row);

        Assert.Equal("[user] hello\n[assistant] «The cat sat\n»\n", _model.Run("render", "--model", _model.Folder, "--input", _data).MustExitWith(ExitCodes.Done).Output);
        Assert.EndsWith("»[assistant] \n", _model.Run("render", "--model", _model.Folder, "--input", _data, "--add-generation-prompt").MustExitWith(ExitCodes.Done).Output, StringComparison.Ordinal);
        Assert.Contains("\u001b[32mThe cat sat\n\u001b[0m", CliRun.With(_model.Host with { IsTerminal = true }, "render", "--model", _model.Folder, "--input", _data).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Render_gives_text_ids_and_mask_as_json()
    {
        CliRun run = CliRun.With(_model.Host with { Input = new StringReader(Row) }, "render", "--model", _model.Folder, "--json").MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        int[] ids = [.. json.RootElement.GetProperty("ids").EnumerateArray().Select(static id => id.GetInt32())];
        int[] mask = [.. json.RootElement.GetProperty("assistant_mask").EnumerateArray().Select(static bit => bit.GetInt32())];
        Tokenizer tokenizer = Tokenizer.Load(_model.Folder);

        Assert.Equal("[user] hello\n[assistant] The cat sat\n", json.RootElement.GetProperty("text").GetString());
        Assert.Equal(tokenizer.Encode("[user] hello\n[assistant] The cat sat\n", addSpecialTokens: false), ids);
        Assert.Equal("The cat sat", tokenizer.Decode(ids.Where((_, at) => mask[at] == 1).ToArray()).Trim());
    }

    [Fact]
    public void A_folder_without_a_template_and_a_bad_line_are_one_clear_line()
    {
        string bare = _model.NewPath("bare");
        Directory.CreateDirectory(bare);
        File.Copy(Path.Combine(_model.Folder, "tokenizer.json"), Path.Combine(bare, "tokenizer.json"));
        Assert.Contains("has no chat template", _model.Run("render", "--model", bare, "--input", _data).MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);

        File.WriteAllText(_data, Row + "\n{\"messages\": 5}");
        Assert.Contains("chat.jsonl:2: \"messages\" must be an array", _model.Run("render", "--model", _model.Folder, "--input", _data).MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Conversations_are_trained_on_and_scored()
    {
        string output = _model.NewPath("chat-run");
        CliRun.With(_model.Host, "train", "--model", _model.Folder, "--dataset", _data, "--output-dir", output, "--max-steps", "4", "--r", "2", "--learning-rate", "0.01").MustExitWith(ExitCodes.Done);
        double Loss(params string[] more)
        {
            using JsonDocument json = JsonDocument.Parse(_model.Run(["eval", "--model", _model.Folder, "--dataset", _data, "--json", .. more]).MustExitWith(ExitCodes.Done).Output);
            return json.RootElement.GetProperty("loss").GetDouble() + json.RootElement.GetProperty("tokens").GetInt64();
        }

        Assert.True(File.Exists(Path.Combine(output, "adapter_model.safetensors")));
        Assert.NotEqual(Loss(), Loss("--assistant-only-loss", "false"));
        Assert.Equal(Loss(), Loss("--assistant-only-loss", "true"));
    }
}
