using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>Token embeddings.</summary>
public sealed class EmbeddingLayer : Module
{
    internal EmbeddingLayer(Tensor weight) => Weight = weight;

    /// <summary>[vocabulary, width].</summary>
    public Tensor Weight { get; }

    /// <summary>Alpha of NEFTune: uniform noise on the embeddings while training; 0 for none.</summary>
    public float NoiseAlpha { get; set; }

    /// <summary>Maps ids [tokens] to [tokens, width].</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="ids">[tokens] int32.</param>
    /// <param name="layout">The documents, whose length scales the noise.</param>
    public Tensor Forward(Tape tape, Tensor ids, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(tape);
        Tensor x = tape.Embedding(Weight, ids);
        tape.EmbeddingNoise(x, NoiseAlpha, layout);
        return x;
    }
}
