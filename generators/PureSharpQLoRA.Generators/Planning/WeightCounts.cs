using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Numbers of weights of a model, and the bytes they take.</summary>
public static class WeightCounts
{
    private const int Nf4BlockSize = 64;
    private const int NestedBlockSize = 256;

    /// <summary>Weights of all blocks' linear layers: what NF4 holds.</summary>
    public static long Linear(ModelSpec spec) => spec.Layers * spec.BlockLinears.Sum(linear => linear.Weights);

    /// <summary>Weights that stay in 16 bits: embedding, head, norms and biases.</summary>
    public static long Other(ModelSpec spec)
    {
        long table = (long)spec.VocabularySize * spec.HiddenSize;
        long headNorms = spec.QueryKeyNorm ? 2L * spec.HeadSize : 0;
        long block = (2L * spec.HiddenSize) + headNorms + spec.BlockLinears.Sum(linear => linear.Bias ? linear.Outputs : 0L);
        return (table * (spec.TiedEmbeddings ? 1 : 2)) + (spec.Layers * block) + spec.HiddenSize;
    }

    /// <summary>All weights.</summary>
    public static long Total(ModelSpec spec) => Linear(spec) + Other(spec);

    /// <summary>Weights of the adapters per unit of rank: inputs + outputs of every adapted layer.</summary>
    public static long AdapterPerRank(ModelSpec spec, EquatableArray<string> targets) =>
        spec.Layers * spec.BlockLinears.Where(linear => IsTarget(linear, targets)).Sum(linear => (long)linear.Inputs + linear.Outputs);

    /// <summary>Whether a layer gets an adapter; an empty list targets all.</summary>
    public static bool IsTarget(LinearSpec linear, EquatableArray<string> targets) => targets.Count == 0 || targets.Contains(linear.Name);

    /// <summary>Bytes of the blocks' linear layers as NF4: half a byte per weight, and an absmax per 64 of them.</summary>
    /// <remarks>An absmax is fp32; doubly quantised it is a byte, with an fp32 absmax per 256 of them and an fp32 offset per tensor.</remarks>
    public static long Nf4Bytes(ModelSpec spec, bool doubleQuantization) =>
        spec.Layers * spec.BlockLinears.Sum(linear => Nf4Bytes(linear.Weights, doubleQuantization));

    /// <summary>The same on a card, which turns the absmax of rows of whole blocks into halves once it has used them; others stay fp32.</summary>
    public static long Nf4BytesOnCard(ModelSpec spec) => spec.Layers * spec.BlockLinears.Sum(linear =>
        DivideUp(linear.Weights, 2) + (DivideUp(linear.Weights, Nf4BlockSize) * (linear.Inputs % Nf4BlockSize == 0 ? 2 : 4)));

    private static long Nf4Bytes(long weights, bool doubleQuantization)
    {
        long blocks = DivideUp(weights, Nf4BlockSize);
        long scales = doubleQuantization ? blocks + (4 * DivideUp(blocks, NestedBlockSize)) + 4 : 4 * blocks;
        return DivideUp(weights, 2) + scales;
    }

    private static long DivideUp(long value, long by) => (value + by - 1) / by;
}
