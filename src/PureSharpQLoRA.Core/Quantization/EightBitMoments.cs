namespace PureSharpQLoRA.Core.Quantization;

/// <summary>
/// How AdamW's moments are kept in 8 bits: codes of a <see cref="DynamicMap"/>, the signed one for the first moment and the unsigned one for the
/// second, times an fp32 maximum per block of 256 elements (Dettmers et al. 2021, arXiv:2110.02861).
/// </summary>
public static class EightBitMoments
{
    /// <summary>Elements that share a maximum; the last block of a tensor may have fewer.</summary>
    public const int BlockSize = 256;

    /// <summary>Smaller tensors keep their moments in fp32, as with bitsandbytes: they save little.</summary>
    public const int SmallestTensor = 4096;

    /// <summary>Blocks of a tensor.</summary>
    public static int Blocks(long elements) => checked((int)((elements + BlockSize - 1) / BlockSize));
}
