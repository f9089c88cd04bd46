namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>Turns a weight into NF4 codes and absolute maxima, bit for bit as <see cref="Quantization.Nf4Quantizer.Quantize"/>.</summary>
    /// <param name="source">The weight in fp32, fp16 or bf16; any shape, taken flat.</param>
    /// <param name="codes">NF4, of as many elements; the absolute maxima go to its <see cref="Tensor.Quantization"/>, which must be fp32 [blocks].</param>
    void QuantizeNf4(Tensor source, Tensor codes);
}
