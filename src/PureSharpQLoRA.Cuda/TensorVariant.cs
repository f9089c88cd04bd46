using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Products;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda;

/// <summary>Which operands of a product run along the reduction.</summary>
internal enum ProductForm
{
    /// <summary>y = x·weightᵀ: both.</summary>
    Transposed,

    /// <summary>y = x·weight: the left one.</summary>
    Plain,

    /// <summary>y = aᵀ·b: neither.</summary>
    Gradient,
}

/// <summary>The tile of a block, rows by columns.</summary>
internal enum ProductShape
{
    /// <summary>128 x 128.</summary>
    Square,

    /// <summary>128 x 32.</summary>
    Columns32,

    /// <summary>128 x 64.</summary>
    Columns64,

    /// <summary>32 x 128.</summary>
    Rows32,

    /// <summary>64 x 128.</summary>
    Rows64,
}

/// <summary>One kernel of the product on tensor cores.</summary>
/// <param name="Form">The operands' layout.</param>
/// <param name="Shape">The tile.</param>
/// <param name="Type">What the tensor cores multiply: fp16 or bf16.</param>
/// <param name="Right">How the right operand is stored.</param>
/// <param name="Result">How the result is.</param>
internal readonly record struct TensorVariant(ProductForm Form, ProductShape Shape, DataType Type, DataType Right, DataType Result)
{
    private const int Threads = 128;

    /// <summary>Rows and columns of a tile.</summary>
    public (int Rows, int Columns) Tile => Shape switch
    {
        ProductShape.Square => (128, 128),
        ProductShape.Columns32 => (128, 32),
        ProductShape.Columns64 => (128, 64),
        ProductShape.Rows32 => (32, 128),
        _ => (64, 128),
    };

    /// <summary>The smallest tile that does not need more of them.</summary>
    public static ProductShape ShapeFor(int rows, int columns) => (rows, columns) switch
    {
        (_, <= 32) => ProductShape.Columns32,
        ( <= 32, _) => ProductShape.Rows32,
        (_, <= 64) => ProductShape.Columns64,
        ( <= 64, _) => ProductShape.Rows64,
        _ => ProductShape.Square,
    };

    /// <summary>The kernel for a PTX target.</summary>
    public KernelKey Key(int architecture)
    {
        Type warp = Shape switch
        {
            ProductShape.Square => typeof(WarpTile64<WarpRow64>),
            ProductShape.Columns32 or ProductShape.Rows32 => typeof(WarpTile32<WarpRow32>),
            _ => typeof(WarpTile32<WarpRow64>),
        };
        Type core = Type == DataType.BFloat16 ? typeof(BrainCore) : architecture >= 80 ? typeof(AmpereCore) : typeof(TuringCore);
        Type left = Operand(Form != ProductForm.Gradient, Tile.Rows), right = Operand(Form == ProductForm.Transposed, Tile.Columns);
        Type kernels = typeof(TensorProduct<,,,,>).MakeGenericType(left, right, warp, Pipeline(architecture), core);
        (Type element, Type four) = Result switch
        {
            DataType.Float32 => (typeof(SingleElement), typeof(FourSingles)),
            DataType.Float16 => (typeof(HalfElement), typeof(FourHalves)),
            _ => (typeof(BrainElement), typeof(FourBrains)),
        };
        return new KernelKey(kernels, "Multiply", Threads, 2, element, four);
    }

    private static Type Operand(bool along, int lines) => (along, lines) switch
    {
        (true, 128) => typeof(AlongTile<Lines128>),
        (true, 64) => typeof(AlongTile<Lines64>),
        (true, _) => typeof(AlongTile<Lines32>),
        (false, 128) => typeof(AcrossTile<Lines128>),
        (false, 64) => typeof(AcrossTile<Lines64>),
        (false, _) => typeof(AcrossTile<Lines32>),
    };

    private Type Pipeline(int architecture)
    {
        if (Right != Type)
        {
            return Type == DataType.BFloat16 ? typeof(StagedPipeline<HalfToBrainChunk>) : typeof(StagedPipeline<BrainToHalfChunk>);
        }

        return architecture >= 80 ? typeof(AsyncPipeline) : typeof(StagedPipeline<SameChunk>);
    }
}
