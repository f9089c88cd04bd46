using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>The type arguments of a kernel that works on packs.</summary>
/// <param name="Storage">What its views count.</param>
/// <param name="Pack">The <see cref="IPack{TStorage}"/>.</param>
/// <param name="Elements">Elements in a pack.</param>
internal readonly record struct PackType(Type Storage, Type Pack, int Elements)
{
    private const int VectorBytes = 16;

    private static readonly PackType SingleElements = new(typeof(SingleElement), typeof(ElementPack<SingleElement>), 1);
    private static readonly PackType HalfElements = new(typeof(HalfElement), typeof(ElementPack<HalfElement>), 1);
    private static readonly PackType BrainElements = new(typeof(BrainElement), typeof(ElementPack<BrainElement>), 1);
    private static readonly PackType SingleChunks = new(typeof(U4), typeof(QuadPack), 4);
    private static readonly PackType HalfChunks = new(typeof(U4), typeof(EightPack<HalfVector>), 8);
    private static readonly PackType BrainChunks = new(typeof(U4), typeof(EightPack<BrainVector>), 8);

    /// <summary>Whether a pack is a chunk of 16 bytes.</summary>
    public bool IsWide => Storage == typeof(U4);

    /// <summary>Chunks where a row of <paramref name="columns"/> elements is made of whole ones and every tensor begins at a multiple of 16 bytes, else elements.</summary>
    /// <param name="type">fp32, fp16 or bf16.</param>
    /// <param name="columns">Elements of a row, or of the whole tensor where rows do not matter.</param>
    /// <param name="addresses">The addresses of all tensors, combined by or.</param>
    public static PackType For(DataType type, long columns, nint addresses)
    {
        PackType wide = type switch
        {
            DataType.Float32 => SingleChunks,
            DataType.Float16 => HalfChunks,
            DataType.BFloat16 => BrainChunks,
            _ => throw new NotSupportedException($"No arithmetic on {type}."),
        };
        return columns % wide.Elements == 0 && addresses % VectorBytes == 0 ? wide : ElementOf(type);
    }

    /// <summary>One element at a time.</summary>
    public static PackType ElementOf(DataType type) => type switch
    {
        DataType.Float32 => SingleElements,
        DataType.Float16 => HalfElements,
        _ => BrainElements,
    };
}
