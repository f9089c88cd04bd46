namespace PureSharpQLoRA.Generators.Model;

/// <summary>One linear layer of a block, with a weight of [outputs, inputs].</summary>
/// <param name="Property">The name of the property of the emitted block.</param>
/// <param name="Path">The weight's name below the block, as Hugging Face spells it.</param>
/// <param name="Inputs">Values per token that go in.</param>
/// <param name="Outputs">Values per token that come out.</param>
/// <param name="Bias">Whether a bias of [outputs] is added.</param>
public sealed record LinearSpec(string Property, string Path, int Inputs, int Outputs, bool Bias)
{
    /// <summary>The last part of the path, which is what LoRA's target_modules name: q_proj.</summary>
    public string Name => Path.Substring(Path.LastIndexOf('.') + 1);

    /// <summary>Weights, without the bias.</summary>
    public long Weights => (long)Inputs * Outputs;
}
