using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Generation;

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>The model chose one of the ids that end a text.</summary>
    EndOfText,

    /// <summary>The most tokens, or the longest document of the model, were reached.</summary>
    Length,

    /// <summary>The receiver of the tokens asked to stop.</summary>
    Stopped,
}

/// <summary>Continues texts token by token, with the keys and values of earlier tokens kept. Once warm, nothing is allocated per token.</summary>
public sealed class TextGenerator : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly Tape _tape;
    private readonly SequenceLayout _layout = new();
    private readonly float[] _logits;
    private readonly int[] _next = new int[1];
    private KeyValueCache? _cache;

    /// <summary>A generator for a model, with whatever adapter is in use when text is generated.</summary>
    public TextGenerator(CausalLanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _tape = new Tape(model.Backend);
        _logits = new float[model.Sizes.VocabularySize];
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">At least one id; the prompt is computed in one pass.</param>
    /// <param name="options">How tokens are chosen, and when to end.</param>
    /// <param name="receive">Receives each new id; false ends the text after it.</param>
    /// <param name="cancellation">Ends between tokens.</param>
    /// <exception cref="ArgumentException">The prompt is empty, has ids outside the vocabulary, or is longer than the model's longest document; or an option makes no sense.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public FinishReason Generate(ReadOnlySpan<int> prompt, GenerationOptions options, Func<int, bool> receive, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(receive);
        CheckPrompt(prompt);
        var sampler = new Sampler(options, _logits.Length);
        sampler.Observe(prompt);
        int longest = (int)Math.Min((long)prompt.Length + options.MaxNewTokens, _model.Sizes.MaxPositions);
        KeyValueCache cache = Reserve(longest);
        ReadOnlySpan<int> input = prompt;
        for (int made = 0; made < options.MaxNewTokens && prompt.Length + made <= _model.Sizes.MaxPositions; made++)
        {
            cancellation.ThrowIfCancellationRequested();
            Compute(input, cache);
            int id = sampler.Next(_logits);
            if (options.StopIds.Contains(id))
            {
                return FinishReason.EndOfText;
            }

            if (!receive(id))
            {
                return FinishReason.Stopped;
            }

            _next[0] = id;
            input = _next;
        }

        return FinishReason.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cache?.Dispose();
        _tape.Dispose();
    }

    /// <summary>The logits after the last of some tokens.</summary>
    private void Compute(ReadOnlySpan<int> ids, KeyValueCache cache)
    {
        _layout.Continue(cache, ids.Length);
        Tensor input = _tape.NewTensor(new Shape(ids.Length), DataType.Int32);
        _model.Backend.Upload(MemoryMarshal.AsBytes(ids), input);
        Tensor hidden = _model.Forward(_tape, input, _layout);
        Tensor logits = _model.Head.Logits(_tape, hidden, ids.Length - 1, 1);
        _model.Backend.Download(logits, MemoryMarshal.AsBytes(_logits.AsSpan()));
        cache.Advance(ids.Length);
        _tape.Reset();
    }

    private KeyValueCache Reserve(int tokens)
    {
        if (_cache is null || _cache.Capacity < tokens)
        {
            _cache?.Dispose();
            ModelDescription sizes = _model.Sizes;
            _cache = new KeyValueCache(_model.Backend, sizes.Layers, tokens, sizes.KeyValueHeads * sizes.HeadSize);
        }

        _cache.Truncate(0);
        return _cache;
    }

    private void CheckPrompt(ReadOnlySpan<int> prompt)
    {
        if (prompt.IsEmpty)
        {
            throw new ArgumentException("The prompt has no token: a text is needed that the model can continue.");
        }

        if (prompt.Length > _model.Sizes.MaxPositions)
        {
            throw new ArgumentException($"The prompt has {prompt.Length} tokens; the model's longest document has {_model.Sizes.MaxPositions}.");
        }

        foreach (int id in prompt)
        {
            if ((uint)id >= (uint)_logits.Length)
            {
                throw new ArgumentException($"The prompt has the id {id}, but the model's vocabulary ends at {_logits.Length - 1}: is the tokenizer another model's?");
            }
        }
    }
}
