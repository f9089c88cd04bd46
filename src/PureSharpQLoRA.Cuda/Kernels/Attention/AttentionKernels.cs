using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>A tensor-core kernel of attention.</summary>
/// <param name="Key">The kernel.</param>
/// <param name="Rows">Queries (or keys, for their gradients) that a block owns; in decoding the keys of a tile.</param>
internal readonly record struct AttentionKernel(KernelKey Key, int Rows);

/// <summary>
/// The tensor-core kernels of attention for one PTX target: which tiling each head size takes. Chosen so that two blocks or more fit on a multiprocessor
/// of sm_75 (for some passes one with a head size of 256) and ptxas spills nothing.
/// </summary>
internal sealed class AttentionKernels(int architecture)
{
    /// <summary>Query heads per key head that decoding can take.</summary>
    public const int MaximumDecodeGroup = 16;

    private const string Method = "Run";

    private readonly Dictionary<(Pass Pass, int HeadSize, DataType Type), AttentionKernel> _kernels = [];

    private enum Pass
    {
        Forward,
        BackwardQuery,
        BackwardKeyValue,
        Decode,
    }

    /// <summary>
    /// Whether there are kernels for a head size and element type. They take the largest product for the largest logit, so that the scale must be positive.
    /// </summary>
    public bool Has(in AttentionShape shape, DataType type) =>
        shape.HeadSize is 64 or 80 or 96 or 128 or 256 && shape.Scale > 0 && (type == DataType.Float16 ? architecture >= 75 : type == DataType.BFloat16 && architecture >= 80);

    public AttentionKernel Forward(int headSize, DataType type) => Get(Pass.Forward, headSize, type);

    public AttentionKernel BackwardQuery(int headSize, DataType type) => Get(Pass.BackwardQuery, headSize, type);

    public AttentionKernel BackwardKeyValue(int headSize, DataType type) => Get(Pass.BackwardKeyValue, headSize, type);

    public AttentionKernel Decode(int headSize, DataType type) => Get(Pass.Decode, headSize, type);

    /// <summary>The arithmetic of an element type.</summary>
    public Type Core(DataType type) => type == DataType.BFloat16 ? typeof(BrainCore) : architecture >= 80 ? typeof(AmpereCore) : typeof(TuringCore);

    private AttentionKernel Get(Pass pass, int headSize, DataType type)
    {
        if (!_kernels.TryGetValue((pass, headSize, type), out AttentionKernel kernel))
        {
            kernel = pass switch
            {
                Pass.Forward => CreateForward(headSize, type),
                Pass.BackwardQuery => CreateBackwardQuery(headSize, type),
                Pass.BackwardKeyValue => CreateBackwardKeyValue(headSize, type),
                _ => CreateDecode(headSize, type),
            };
            _kernels.Add((pass, headSize, type), kernel);
        }

        return kernel;
    }

    private AttentionKernel CreateForward(int headSize, DataType type)
    {
        (int keys, bool registers, int blocks) = headSize switch
        {
            64 => (64, true, 3),
            80 or 128 => (64, true, 2),
            96 => (32, true, 2),
            _ => (16, false, 1),
        };
        const int Warps = 4;
        Type kernel = typeof(AttentionForward<,,,,,,>).MakeGenericType(
            Core(type), Swizzled(headSize), Copy(headSize, keys, Warps), Count(Warps), Fragments(headSize, registers), Sums(keys), Sums(headSize));
        return Create(kernel, 16 * Warps, Warps, blocks, $"{headSize}, {type}");
    }

    private AttentionKernel CreateBackwardQuery(int headSize, DataType type)
    {
        (int keys, Type layout, int blocks) = headSize switch
        {
            64 => (32, typeof(PaddedRows), 3),
            80 => (64, Swizzled(headSize), 2),
            96 => (32, Swizzled(headSize), 2),
            128 => (32, typeof(PaddedRows), 2),
            _ => (16, Swizzled(headSize), 2),
        };
        const int Warps = 4;
        // The sums of 256 columns leave a warp's registers no room for its operands.
        int parts = headSize == 256 ? 2 : 1;
        Type kernel = typeof(AttentionBackwardQuery<,,,,,,,,>).MakeGenericType(
            Core(type), layout, Copy(headSize, keys, Warps), Count(Warps), Count(parts), Fragments(headSize, headSize < 256), Fragments(headSize, true),
            Sums(keys), Sums(headSize / parts));
        return Create(kernel, 16 * Warps / parts, Warps, blocks, $"{headSize}, {type}");
    }

    private AttentionKernel CreateBackwardKeyValue(int headSize, DataType type)
    {
        (int queries, bool keysInRegisters, bool valuesInRegisters, Type layout, int blocks) = headSize switch
        {
            64 => (32, true, true, typeof(PaddedRows), 2),
            80 or 96 => (32, true, false, Swizzled(headSize), 2),
            128 => (16, true, false, Swizzled(headSize), 2),
            _ => (16, false, false, Swizzled(headSize), 1),
        };
        const int Warps = 4;
        // The sums of 256 columns do not fit into the registers of a warp, and with tiles of 256 columns shared memory has no room for anything else.
        int parts = headSize == 256 ? 2 : 1;
        Type statistics = parts == 1 ? typeof(SharedStatistics) : typeof(GlobalStatistics);
        Type kernel = typeof(AttentionBackwardKeyValue<,,,,,,,,,>).MakeGenericType(
            Core(type), layout, Copy(headSize, queries, Warps), Count(Warps), Count(parts), statistics,
            Fragments(headSize, keysInRegisters), Fragments(headSize, valuesInRegisters), Sums(queries), Sums(headSize / parts));
        return Create(kernel, 16 * Warps / parts, Warps, blocks, $"{headSize}, {type}");
    }

    private AttentionKernel CreateDecode(int headSize, DataType type)
    {
        const int Warps = 4;
        int parts = headSize == 256 ? 2 : 1, keys = 16 * Warps / parts;
        Type kernel = typeof(AttentionDecode<,,,,,,>).MakeGenericType(
            Core(type), Swizzled(headSize), Copy(headSize, keys, Warps), Count(Warps), Count(parts), Fragments(headSize, true), Sums(headSize / parts));
        return Create(kernel, keys, Warps, 2, $"{headSize}, {type}");
    }

    private static AttentionKernel Create(Type kernel, int rows, int warps, int blocks, string label) =>
        new(new KernelKey(kernel, Method, 32 * warps, blocks, Label: label), rows);

    /// <summary>Accumulators of 16 rows.</summary>
    private static Type Sums(int columns) => Nesting.Of(typeof(Tile), typeof(Join<,>), columns / 16);

    /// <summary>A left operand of 16 rows.</summary>
    private static Type Fragments(int columns, bool inRegisters) =>
        Nesting.Of(inRegisters ? typeof(RegisterFragment) : typeof(SharedFragment), typeof(JoinedFragments<,>), columns / 16);

    /// <summary>The copy of a tile, a 16-byte chunk per thread and step.</summary>
    private Type Copy(int headSize, int rows, int warps)
    {
        int chunks = rows * headSize / 8, threads = 32 * warps;
        return Nesting.Of(architecture >= 80 ? typeof(AsyncCopy) : typeof(RegisterCopy), typeof(JoinedCopy<,>), (chunks + threads - 1) / threads);
    }

    private static Type Swizzled(int headSize) => typeof(SwizzledRows<>).MakeGenericType((headSize / 8 % 8) switch
    {
        0 => typeof(Count8),
        4 => typeof(Count4),
        _ => typeof(Count2),
    });

    private static Type Count(int value) => value switch
    {
        1 => typeof(Count1),
        2 => typeof(Count2),
        4 => typeof(Count4),
        _ => throw new ArgumentOutOfRangeException(nameof(value)),
    };
}
