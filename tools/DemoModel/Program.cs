using System.CommandLine;
using PureSharpQLoRA.DemoModel;

Option<DirectoryInfo> output = new("--output") { Description = "The folder to write to", Required = true };
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
data.SetAction(arguments => Report(() =>
    DemoData.Write(arguments.GetRequiredValue(output).FullName, arguments.GetValue(stories), arguments.GetValue(seed))));

Option<DirectoryInfo> input = new("--data") { Description = "The folder that the data command wrote", Required = true };
Command tokenizer = new("tokenizer", "Trains the byte-level tokenizer of 1,024 tokens and writes tokenizer.json and its companions") { input, output };
tokenizer.SetAction(arguments => Report(() =>
    DemoTokenizer.Write(arguments.GetRequiredValue(input).FullName, arguments.GetRequiredValue(output).FullName)));

Option<double> epochs = new("--epochs") { Description = "Passes over the stories", DefaultValueFactory = _ => 4 };
Command model = new("model", "Trains the model from random weights; the tokenizer's files must be in the output folder") { input, output, epochs };
model.SetAction(arguments => Report(() => new BaseModel(Console.Out).Train(
    arguments.GetRequiredValue(input).FullName, arguments.GetRequiredValue(output).FullName, arguments.GetValue(epochs))));

RootCommand root = new("Makes the tiny model and the data sets of the demo, from nothing but this project.") { data, tokenizer, model };
ParseResult parsed = root.Parse(args);
int code = parsed.Invoke();

// As in `puresharp`: 1 is a failure, 2 is wrong usage.
return parsed.Errors.Count > 0 ? 2 : code;

static int Report(Action work)
{
    try
    {
        work();
        return 0;
    }
    catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidOperationException or InvalidDataException)
    {
        Console.Error.WriteLine(error.Message);
        return 1;
    }
}
