using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Generation;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>The library's generator, on a model compiled as the command line compiles it.</summary>
public sealed class TextGeneratorTests : IClassFixture<TinyModel>, IDisposable
{
    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 1 });
    private readonly CompiledModel _type;
    private readonly CausalLanguageModel _model;

    public TextGeneratorTests(TinyModel tiny)
    {
        _type = new ModelCompiler(new CompilationCache(tiny.Host.CacheFolder!)).Compile(ModelBlueprint.Read(tiny.Folder));
        _model = ModelLoader.Load(tiny.Folder, _backend, new LoadOptions { LoadIn4Bit = false }, _type.Create);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Cached_keys_and_values_give_the_tokens_of_whole_passes()
    {
        int[] prompt = [5, 100, 200, 7];
        List<int> cached = [], whole = [.. prompt];
        using var generator = new TextGenerator(_model);
        using var tape = new Tape(_backend);

        FinishReason reason = generator.Generate(prompt, new GenerationOptions { MaxNewTokens = 30 }, Collect(cached), Token);

        for (int i = 0; i < 30; i++)
        {
            Tensor ids = tape.NewTensor(new Shape(whole.Count), DataType.Int32);
            _backend.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(whole.ToArray()), ids);
            Tensor logits = _model.Head.Logits(tape, _model.Forward(tape, ids, SequenceLayout.Uniform(1, whole.Count)), whole.Count - 1, 1);
            var values = new float[logits.Shape.Count];
            _backend.Download(logits, System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
            whole.Add(Array.IndexOf(values, values.Max()));
            tape.Reset();
        }

        Assert.Equal(whole[prompt.Length..], cached);
        Assert.Equal(FinishReason.Length, reason);
    }

    [Fact]
    public void Text_ends_at_stop_ids_at_the_receivers_wish_and_at_the_longest_document()
    {
        using var generator = new TextGenerator(_model);
        List<int> all = [], stopped = [], asked = [], longest = [];
        generator.Generate([5, 6], new GenerationOptions { MaxNewTokens = 8 }, Collect(all), Token);

        Assert.Equal(FinishReason.EndOfText, generator.Generate([5, 6], new GenerationOptions { StopIds = [all[5]] }, Collect(stopped), Token));
        Assert.Equal(all[..all.IndexOf(all[5])], stopped);
        Assert.Equal(FinishReason.Stopped, generator.Generate([5, 6], new GenerationOptions(), id => Collect(asked)(id) && asked.Count < 3, Token));
        Assert.Equal(all[..3], asked);
        Assert.Equal(FinishReason.Length, generator.Generate([5, 6], new GenerationOptions { MaxNewTokens = 1000 }, Collect(longest), Token));
        Assert.Equal(_model.Sizes.MaxPositions - 1, longest.Count);
    }

    [Fact]
    public void Nothing_is_allocated_per_token_once_warm()
    {
        using var generator = new TextGenerator(_model);
        var options = new GenerationOptions { MaxNewTokens = 120, Temperature = 1, TopK = 20, TopP = 0.9, RepetitionPenalty = 1.1 };
        generator.Generate([5, 6], options, static _ => true, Token);
        int tokens = 0;
        long warm = 0, end = 0;

        generator.Generate([5, 6], options, _ =>
        {
            tokens++;
            (warm, end) = (tokens == 20 ? GC.GetAllocatedBytesForCurrentThread() : warm, GC.GetAllocatedBytesForCurrentThread());
            return true;
        }, Token);

        // The list of tokens seen so far may double once.
        Assert.InRange(end - warm, 0, 2048);
    }

    [Theory]
    [InlineData("The prompt has no token", new int[0])]
    [InlineData("The prompt has the id 512, but the model's vocabulary ends at 511", new[] { 1, 512 })]
    public void Prompts_that_cannot_be_continued_are_refused(string message, int[] prompt)
    {
        using var generator = new TextGenerator(_model);

        Assert.StartsWith(message, Assert.Throws<ArgumentException>(() => generator.Generate(prompt, new GenerationOptions(), static _ => true, Token)).Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _model.Dispose();
        _backend.Dispose();
        _type.Dispose();
    }

    private static Func<int, bool> Collect(List<int> to) => id =>
    {
        to.Add(id);
        return true;
    };
}
