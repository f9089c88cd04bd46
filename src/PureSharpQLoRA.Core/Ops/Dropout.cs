namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// y (+)= x / (1 - probability) where <see cref="Philox.Uniform"/>(seed, index) is at least <paramref name="probability"/>, else 0. The mask
    /// depends on the seed and the element's index alone, so that the backward pass makes it again. Both in the activation type.
    /// </summary>
    void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate);

    /// <summary>x += amplitude * (2 <see cref="Philox.Uniform"/>(seed, index) - 1). x in the activation type.</summary>
    void AddUniformNoise(Tensor x, float amplitude, ulong seed);
}
