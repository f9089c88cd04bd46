using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Tests.Models;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>The small models of this project, by the name of their config.</summary>
internal static class TestModels
{
    public static readonly string[] Names = ["biased-llama", "dynamic-llama", "window-mistral", "small-qwen2", "small-qwen3", "small-smollm3"];

    /// <summary>Kept in fp32, so that only the model's mathematics differ from the plain computation.</summary>
    public static readonly LoadOptions Dense = new() { LoadIn4Bit = false };

    public static string ConfigPath(string name) => TestFiles.InRepository("tests", "PureSharpQLoRA.Transformers.Tests", "Models", name + ".config.json");

    public static CausalLanguageModel Load(string name, string folder, IBackend backend, LoadOptions? options = null)
    {
        options ??= Dense;
        return name switch
        {
            "biased-llama" => ModelLoader.Load(folder, backend, options, scope => new BiasedLlama(scope)),
            "dynamic-llama" => ModelLoader.Load(folder, backend, options, scope => new DynamicLlama(scope)),
            "window-mistral" => ModelLoader.Load(folder, backend, options, scope => new WindowMistral(scope)),
            "small-qwen2" => ModelLoader.Load(folder, backend, options, scope => new SmallQwen2(scope)),
            "small-qwen3" => ModelLoader.Load(folder, backend, options, scope => new SmallQwen3(scope)),
            "small-smollm3" => ModelLoader.Load(folder, backend, options, scope => new SmallSmolLM3(scope)),
            "stories260K" => ModelLoader.Load(folder, backend, options, scope => new Stories260K(scope)),
            _ => throw new ArgumentException(name),
        };
    }

    /// <summary>Ids that use the whole vocabulary, the same for the same seed.</summary>
    public static int[] Ids(int count, int vocabulary, ulong seed) =>
        [.. Enumerable.Range(0, count).Select(i => (int)(Philox.Uniform(seed, (ulong)i) * vocabulary))];

    /// <summary>Logits [tokens, vocabulary] of documents laid end to end.</summary>
    public static float[] Logits(CausalLanguageModel model, params int[][] documents)
    {
        var layout = new SequenceLayout();
        int[] starts = new int[documents.Length + 1];
        for (int i = 0; i < documents.Length; i++)
        {
            starts[i + 1] = starts[i] + documents[i].Length;
        }

        layout.Set(starts);
        return Logits(model, layout, [.. documents.SelectMany(ids => ids)]);
    }

    /// <summary>Logits of tokens that a layout describes.</summary>
    public static float[] Logits(CausalLanguageModel model, SequenceLayout layout, int[] ids)
    {
        using var tape = new Tape(model.Backend);
        Tensor input = tape.NewTensor(new Shape(ids.Length), DataType.Int32);
        model.Backend.Upload(ids, input);
        Tensor hidden = model.Forward(tape, input, layout);
        return model.Backend.ToArray(model.Head.Logits(tape, hidden, 0, ids.Length));
    }
}
