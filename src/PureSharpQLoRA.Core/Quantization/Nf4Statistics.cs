namespace PureSharpQLoRA.Core.Quantization;

/// <summary>What belongs to the NF4 codes of a weight: one absolute maximum per block of 64 flat elements, decoded if it was quantised itself.</summary>
/// <param name="AbsoluteMaxima">[blocks] fp32, until a device puts the form its products read in their place.</param>
public sealed record Nf4Statistics(Tensor AbsoluteMaxima);
