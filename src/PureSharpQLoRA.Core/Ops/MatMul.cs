namespace PureSharpQLoRA.Core;

/// <summary>A second term of a product, computed in the same pass: low [tokens, rank] times a factor with the same rank.</summary>
/// <param name="Low">[tokens, rank], activation type, any scale already applied.</param>
/// <param name="Factor">fp32, [outputs, rank] where the main product is transposed, else [rank, outputs].</param>
public readonly record struct LowRankTerm(Tensor Low, Tensor Factor);

public partial interface IBackend
{
    /// <summary>y (+)= scale * x·weightᵀ (+ low·factorᵀ).</summary>
    /// <param name="x">[tokens, inputs], activation type.</param>
    /// <param name="weight">[outputs, inputs], fp32, fp16, bf16 or NF4.</param>
    /// <param name="y">[tokens, outputs], activation type, or fp32: logits.</param>
    /// <param name="scale">Factor on the first term.</param>
    /// <param name="accumulate">Adds to what is in y.</param>
    /// <param name="term">An optional second term, factor [outputs, rank].</param>
    void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null);

    /// <summary>y (+)= scale * x·weight (+ low·factor).</summary>
    /// <param name="x">[tokens, inputs], activation type, or fp32: the gradient of logits.</param>
    /// <param name="weight">[inputs, outputs], fp32, fp16, bf16 or NF4.</param>
    /// <param name="y">[tokens, outputs], activation type.</param>
    /// <param name="scale">Factor on the first term.</param>
    /// <param name="accumulate">Adds to what is in y.</param>
    /// <param name="term">An optional second term, factor [rank, outputs].</param>
    void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null);

    /// <summary>
    /// y (+)= aᵀ·b, the gradient of a weight. a [tokens, rows] in the activation type, or in fp32: the gradient of logits;
    /// b [tokens, columns] in the activation type; y [rows, columns] fp32.
    /// </summary>
    void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate);

    /// <summary>y[i, :] += bias for every row i. y [tokens, width] in the activation type, bias [width] fp32.</summary>
    void AddBias(Tensor y, Tensor bias);

    /// <summary>sums (+)= the column sums of x. x [tokens, width] in the activation type, sums [width] fp32.</summary>
    void SumRows(Tensor x, Tensor sums, bool accumulate);
}
