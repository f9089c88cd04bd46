using System.CommandLine;
using PureSharpQLoRA.DemoModel;

Option<DirectoryInfo> output = new("--output") { Description = "The folder to write the data files to", Required = true };
Option<int> stories = new("--stories")
{
    Description = "Plain stories in base.jsonl, about 350 bytes each",
    DefaultValueFactory = _ => DemoData.DefaultStories,
};
stories.Validators.Add(result =>
{
    if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int count) && count < 1)
    {
        result.AddError($"--stories is {count}; it must be at least 1.");
    }
});
Option<ulong> seed = new("--seed")
{
    Description = "Chooses the stories; the bundled files have the default",
    DefaultValueFactory = _ => DemoData.DefaultSeed,
};

Command data = new("data", "Writes base.jsonl, base-heldout.jsonl, style-train.jsonl and style-heldout.jsonl") { output, stories, seed };
data.SetAction(arguments =>
{
    try
    {
        DemoData.Write(arguments.GetRequiredValue(output).FullName, arguments.GetValue(stories), arguments.GetValue(seed));
        return 0;
    }
    catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidOperationException)
    {
        Console.Error.WriteLine(error.Message);
        return 1;
    }
});

RootCommand root = new("Makes the tiny model and the data sets of the demo, from nothing but this project.") { data };
ParseResult parsed = root.Parse(args);
int code = parsed.Invoke();

// As in `puresharp`: 1 is a failure, 2 is wrong usage.
return parsed.Errors.Count > 0 ? 2 : code;
