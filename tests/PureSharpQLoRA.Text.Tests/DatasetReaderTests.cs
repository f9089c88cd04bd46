using System.Text;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

public sealed class DatasetReaderTests : IDisposable
{
    private const int I = Example.Ignored, Bos = 1, Eos = 2;
    private static readonly Tokenizer Stories = Tokenizer.Load(GoldenFile.Folder("stories260K"));
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_text_is_learnt_whole_with_its_end()
    {
        Example example = Assert.Single(Read("a.jsonl", """{"text": "Once upon a time", "source": "x"}""").Examples);
        Assert.Equal([Bos, 403, 407, 261, 378, Eos], example.Ids);
        Assert.Equal(example.Ids, example.Labels);
        Assert.Equal(5, example.CountTargets());
    }

    [Fact]
    public void Of_prompt_and_completion_only_the_completion_is_learnt()
    {
        Example example = Assert.Single(Read("a.jsonl", """{"prompt": "Once upon", "completion": " a time"}""").Examples);
        Assert.Equal([Bos, 403, 407, 261, 378, Eos], example.Ids);
        Assert.Equal([I, I, I, 261, 378, Eos], example.Labels);
        Assert.Equal(3, example.CountTargets());
    }

    [Fact]
    public void The_prompt_is_learnt_too_where_the_options_say_so()
    {
        Example example = Assert.Single(Read("a.jsonl", """{"prompt": "Once upon", "completion": " a time"}""", new DatasetOptions { CompletionOnlyLoss = false }).Examples);
        Assert.Equal(example.Ids, example.Labels);
    }

    [Fact]
    public void A_boundary_inside_a_token_keeps_prompt_and_completion_apart()
    {
        // "Once upon" is two tokens; cut inside the second, the whole no longer begins with the prompt's ids.
        int[] prompt = Stories.Encode("Once up"), completion = Stories.Encode("on a time", addSpecialTokens: false);
        Assert.NotEqual(prompt, Stories.Encode("Once upon a time")[..prompt.Length]);
        Example example = Assert.Single(Read("a.jsonl", """{"prompt": "Once up", "completion": "on a time"}""").Examples);
        Assert.Equal([.. prompt, .. completion, Eos], example.Ids);
        Assert.Equal([.. prompt.Select(_ => I), .. completion, Eos], example.Labels);
    }

    [Fact]
    public void Tokenised_records_are_taken_as_they_are()
    {
        Dataset dataset = Read("a.jsonl", """
            {"input_ids": [5, 6, 7]}
            {"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}
            {"input_ids": [8, 9], "labels": null}
            """);
        Assert.Equal([[5, 6, 7], [5, 6, 7], [8, 9]], dataset.Examples.Select(example => example.Ids));
        Assert.Equal([[5, 6, 7], [I, I, 7], [8, 9]], dataset.Examples.Select(example => example.Labels));
        Assert.Equal(new DatasetStatistics(3, 8, 4, 3, 0, 0, 0, 0), dataset.Statistics);
    }

    [Fact]
    public void Arrays_and_lines_are_told_apart_by_content()
    {
        const string Records = """
            [ {"text": "Once"},
              {"prompt": "a", "completion": "b"}, {"input_ids": [3, 4]} ]
            """;
        Assert.Equal(3, Read("a.json", "\n  " + Records).Examples.Count);
        Assert.Equal(3, Read("a.jsonl", Records).Examples.Count);
        Assert.Equal(2, Read("b.json", "{\"text\": \"Once\"}\n\n{\"text\": \"upon\"}\r\n").Examples.Count);
        Assert.Equal(1, Read("c.jsonl", "\uFEFF{\"text\": \"Once\"}").Statistics.Records);
    }

    [Fact]
    public void Blank_lines_separate_documents_of_plain_text()
    {
        Dataset dataset = Read("a.txt", "\n\nOnce upon\na time\n \n\t\nThe end\r\n\r\n\r\nOnce");
        Assert.Equal(["Once upon\na time", "The end", "Once"], dataset.Examples.Select(example => Stories.Decode(example.Ids)));
        Assert.All(dataset.Examples, example => Assert.Equal((Bos, Eos), (example.Ids[0], example.Ids[^1])));
    }

    [Fact]
    public void Long_examples_lose_their_end_and_are_counted()
    {
        Dataset dataset = Read("a.jsonl", """
            {"input_ids": [3, 4, 5, 6, 7, 8]}
            {"input_ids": [3, 4, 5, 6, 7], "labels": [-100, -100, -100, -100, 7]}
            {"input_ids": [9]}
            {"input_ids": []}
            {"text": ""}
            {"prompt": "", "completion": ""}
            """, new DatasetOptions { MaxLength = 4 });
        Assert.Equal([[3, 4, 5, 6], [3, 4, 5, 6]], dataset.Examples.Select(example => example.Ids));
        Assert.Equal([[3, 4, 5, 6], [I, I, I, I]], dataset.Examples.Select(example => example.Labels));
        Assert.Equal(new DatasetStatistics(6, 8, 3, 4, 2, 3, 4, 1), dataset.Statistics);
    }

    [Fact]
    public void Several_files_make_one_data_set_in_their_order()
    {
        File.WriteAllText(_folder.File("b.txt"), "upon");
        Dataset dataset = DatasetReader.Read([Write("a.jsonl", """{"text": "Once"}"""), _folder.File("b.txt")], Stories, new DatasetOptions());
        Assert.Equal(["Once", "upon"], dataset.Examples.Select(example => Stories.Decode(example.Ids)));
    }

    [Theory]
    [InlineData("{\"text\": \"a\"}\n{\"text\": \"b\"", 2, "not valid JSON")]
    [InlineData("{\"text\": \"a\"}\n\n\"b\"", 3, "a record must be a JSON object, and this is a string")]
    [InlineData("{\"question\": \"a\", \"answer\": \"b\"}", 1, "the fields found (question, answer); known kinds: {\"input_ids\"[, \"labels\"]}, {\"messages\": [{\"role\", \"content\"}]}, {\"conversations\": [{\"from\", \"value\"}]}, {\"prompt\", \"completion\"}, {\"text\"}")]
    [InlineData("{}", 1, "the fields found (none)")]
    [InlineData("{\"\\ud800\": 5, \"b\": 1}", 1, "a field's name is no valid text")]
    [InlineData("{\"prompt\": \"a\"}", 1, "the fields found (prompt)")]
    [InlineData("{\"text\": 5}", 1, "\"text\" must be a string, and is the number 5")]
    [InlineData("{\"text\": \"\\ud800\"}", 1, "\"text\" is no valid text: half of a surrogate pair")]
    [InlineData("{\"prompt\": \"a\", \"completion\": [\"b\"]}", 1, "\"completion\" must be a string, and is an array")]
    [InlineData("{\"input_ids\": \"5\"}", 1, "\"input_ids\" must be an array of integers, and is a string")]
    [InlineData("{\"input_ids\": [5, 1.5]}", 1, "its element 1 is the number 1.5")]
    [InlineData("{\"input_ids\": [5, 512]}", 1, "\"input_ids\" has 512 at element 1, outside the vocabulary of 512")]
    [InlineData("{\"input_ids\": [5, -100]}", 1, "\"input_ids\" has -100 at element 1")]
    [InlineData("{\"input_ids\": [5, 6], \"labels\": [5, -1]}", 1, "\"labels\" has -1 at element 1")]
    [InlineData("{\"input_ids\": [5, 6], \"labels\": [5]}", 1, "\"labels\" has 1 elements and \"input_ids\" 2")]
    [InlineData("{\"input_ids\": [5, 6], \"labels\": [5, -100]}", null, "nothing is to be learnt: every label is -100")]
    [InlineData("", null, "there are no records")]
    [InlineData("{\"text\": \"\"}", null, "none of the 1 records has two tokens")]
    public void What_is_wrong_with_a_line_is_said(string content, int? line, string expected)
    {
        DatasetException error = Assert.Throws<DatasetException>(() => Read("a.jsonl", content));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_folder.File("a.jsonl") + (line is null ? ":" : $":{line}: "), error.Message, StringComparison.Ordinal);
        Assert.Equal((_folder.File("a.jsonl"), line), (error.File, error.Line));
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("[{\"text\": \"a\"}, 5]", null, 2, "a record must be a JSON object, and this is the number 5")]
    [InlineData("[{\"text\": \"a\"},\n {\"text\": }]", 2, null, "not a valid JSON array")]
    [InlineData("[{\"text\": \"a\"}", 1, null, "not a valid JSON array")]
    public void What_is_wrong_with_an_array_is_said(string content, int? line, int? record, string expected)
    {
        DatasetException error = Assert.Throws<DatasetException>(() => Read("a.json", content));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal((line, record), (error.Line, error.Record));
    }

    [Fact]
    public void Files_that_cannot_be_read_are_named()
    {
        Assert.Contains("no such file", Assert.Throws<DatasetException>(() => DatasetReader.Read([_folder.File("x.jsonl")], Stories, new DatasetOptions())).Message, StringComparison.Ordinal);
        Assert.Contains(".parquet files are not supported", Assert.Throws<DatasetException>(() => Read("a.parquet", "PAR1")).Message, StringComparison.Ordinal);
        Assert.Contains("(no file)", Assert.Throws<DatasetException>(() => DatasetReader.Read([], Stories, new DatasetOptions())).Message, StringComparison.Ordinal);
        File.WriteAllBytes(_folder.File("latin1.txt"), [.. Encoding.UTF8.GetBytes("one\ntwo\n"), 0xE9, 0x20]);
        DatasetException error = Assert.Throws<DatasetException>(() => DatasetReader.Read([_folder.File("latin1.txt")], Stories, new DatasetOptions()));
        Assert.Contains("not UTF-8", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_limit_that_leaves_nothing_to_learn_is_refused() =>
        Assert.Throws<ArgumentException>(() => Read("a.jsonl", """{"text": "a"}""", new DatasetOptions { MaxLength = 1 }));

    [Fact]
    public void A_larger_model_vocabulary_admits_more_ids() =>
        Assert.Single(Read("a.jsonl", """{"input_ids": [5, 512]}""", new DatasetOptions { VocabularySize = 513 }).Examples);

    private string Write(string name, string content)
    {
        File.WriteAllText(_folder.File(name), content);
        return _folder.File(name);
    }

    private Dataset Read(string name, string content, DatasetOptions? options = null) =>
        DatasetReader.Read([Write(name, content)], Stories, options ?? new DatasetOptions());
}
