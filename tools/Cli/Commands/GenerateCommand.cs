using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Transformers.Generation;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Text from a model.</summary>
internal sealed class GenerateCommand : ICliCommand
{
    private const string Prompt = "prompt";
    private const string MaxNewTokens = "max-new-tokens";
    private const string Sample = "do-sample";
    private const string Temperature = "temperature";
    private const string TopK = "top-k";
    private const string TopP = "top-p";
    private const string Penalty = "repetition-penalty";
    private const string Stop = "stop";
    private const string HidePrompt = "no-prompt";

    public string Name => "generate";

    public string Summary => "Continues a text with a model, with or without an adapter";

    public string Positional => Prompt;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder,
        CommonOptions.AdapterFolder,
        .. CommonOptions.Loading(loadIn4Bit: null),
        new(Prompt, OptionKind.Text, "The text to continue; without it, standard input is read"),
        new(MaxNewTokens, OptionKind.Integer, "The most tokens to add") { Min = 1, Default = "128" },
        new(Sample, OptionKind.YesNo, "Draw tokens by their probability; false takes the most likely one") { DefaultText = "true if --temperature, --top-k or --top-p is given" },
        new(Temperature, OptionKind.Number, "Above 1 more surprising, below 1 less; 0 takes the most likely token") { Min = 0, Default = "1" },
        new(TopK, OptionKind.Integer, "Draw from the k most likely tokens only; 0 for all") { Min = 0, Default = "0" },
        new(TopP, OptionKind.Number, "Draw from the most likely tokens that together have this probability") { Min = 0, Max = 1, Default = "1" },
        new(Penalty, OptionKind.Number, "Makes tokens less likely that are there already; 1 for none") { Min = 0.01, Default = "1" },
        CommonOptions.SeedNumber,
        new(Stop, OptionKind.Text, "Ends the text before this string") { IsRepeatable = true, Aliases = ["stop-strings"] },
        new(HidePrompt, OptionKind.YesNo, "Do not print the prompt before its continuation") { Default = "false" },
    ];

    public int Run(CommandContext context)
    {
        OptionValues values = context.Values;
        GenerationOptions options = Read(values);
        string[] stops = [.. values.List(Stop).Where(stop => stop.Length > 0)];
        string prompt = values.Find(Prompt) ?? context.Host.Input.ReadToEnd().TrimEnd('\r', '\n');
        using ModelSession session = ModelSession.Open(context);
        using var completion = new TextCompletion(session.Model, session.Tokenizer);
        if (!values.YesNo(HidePrompt))
        {
            context.Output.Write(prompt);
        }

        Completion made = completion.Complete(prompt, options, stops, piece =>
        {
            context.Output.Write(piece);
            context.Output.Flush();
        }, context.Host.Interrupt);
        context.Output.WriteLine();
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("text", made.Text);
                json.WriteStartArray("token_ids");
                foreach (int id in made.Ids)
                {
                    json.WriteNumberValue(id);
                }

                json.WriteEndArray();
                json.WriteString("finish_reason", made.FinishReason);
            });
        }

        return ExitCodes.Done;
    }

    private static GenerationOptions Read(OptionValues values)
    {
        bool sample = values.Find(Sample) is { } given ? given == "true" : values.IsGiven(Temperature) || values.IsGiven(TopK) || values.IsGiven(TopP);
        var options = new GenerationOptions
        {
            MaxNewTokens = values.Integer(MaxNewTokens),
            Temperature = sample ? values.Number(Temperature) : 0,
            TopK = values.Integer(TopK),
            TopP = values.Number(TopP),
            RepetitionPenalty = values.Number(Penalty),
            Seed = values.Seed(CommonOptions.Seed),
        };
        options.Validate();
        return options;
    }
}
