using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Generation;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>A text that a model wrote.</summary>
/// <param name="Text">Without the prompt, and without the stop string that ended it.</param>
/// <param name="Ids">Its tokens.</param>
/// <param name="FinishReason">"stop" where the model or a stop string ended it, "length" otherwise.</param>
internal sealed record Completion(string Text, IReadOnlyList<int> Ids, string FinishReason);

/// <summary>Continues texts: joins the tokenizer, the generator and stop strings.</summary>
internal sealed class TextCompletion(CausalLanguageModel model, Tokenizer tokenizer) : IDisposable
{
    private readonly TextGenerator _generator = new(model);

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">The text; empty for what the model begins with.</param>
    /// <param name="options">How to generate; the tokenizer's end of text is added to the ids that stop.</param>
    /// <param name="stops">Strings that end the text.</param>
    /// <param name="write">Receives the text as it comes.</param>
    /// <param name="cancellation">Ends between tokens.</param>
    public Completion Complete(string prompt, GenerationOptions options, IReadOnlyList<string> stops, Action<string> write, CancellationToken cancellation)
    {
        int[] ids = tokenizer.Encode(prompt, addSpecialTokens: true);
        if (ids.Length > 1 && ids[^1] == tokenizer.EosId)
        {
            // A tokenizer that ends every text would have the model begin another one.
            ids = ids[..^1];
        }

        if (ids.Length == 0 && tokenizer.BosId is { } begin)
        {
            ids = [begin];
        }

        if (tokenizer.EosId is { } end)
        {
            options = options with { StopIds = [.. options.StopIds, end] };
        }

        // The first piece of a decoder that strips the text's beginning depends on the prompt before it, so the whole text is decoded.
        StreamingDecoder decoder = tokenizer.CreateStreamingDecoder();
        var text = new StopFilter(stops, write);
        foreach (int id in ids)
        {
            decoder.Append(id);
        }

        var made = new List<int>();
        FinishReason reason = _generator.Generate(ids, options, id =>
        {
            made.Add(id);
            return text.Add(decoder.Append(id));
        }, cancellation);
        if (!text.IsStopped)
        {
            text.Add(decoder.Flush());
            text.Flush();
        }

        return new Completion(text.Text, made, text.IsStopped || reason == FinishReason.EndOfText ? "stop" : "length");
    }

    public void Dispose() => _generator.Dispose();
}
