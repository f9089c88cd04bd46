using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Products;

namespace PureSharpQLoRA.Cuda;

// Products of any size, alignment and storage, in fp32.
public sealed partial class IlgpuBackend
{
    private const int GeneralThreads = 64;

    /// <summary>A reduction over tokens is cut into ranges of at least this many, while fewer blocks than this would be busy.</summary>
    private const int TokensPerRange = 256, BlocksWanted = 512;

    /// <summary>Blocks in the Y and Z directions of a grid.</summary>
    private const int GridLimit = 65535;

    private readonly Dictionary<GeneralVariant, KernelKey> _generalProducts = [];

    private static Type GeneralClass(ProductForm form) => form switch
    {
        ProductForm.Transposed => typeof(GeneralProduct<AlongReduction, AlongReduction>),
        ProductForm.Plain => typeof(GeneralProduct<AlongReduction, AcrossReduction>),
        _ => typeof(GeneralProduct<AcrossReduction, AcrossReduction>),
    };

    private void MultiplyGeneral(ProductForm form, Tensor x, Tensor weight, Tensor y, float scale, bool accumulate, LowRankTerm? term)
    {
        using Scratch left = SameType(x, term?.Low), low = SameType(term?.Low, x);
        bool codes = weight.DataType == DataType.Nf4;
        using Scratch maxima = codes ? Nf4Maxima(weight, "a product") : default;
        var sizes = new ProductSizes
        {
            Rows = y.Shape.Rows,
            Columns = y.Shape.Columns,
            Reduction = x.Shape.Columns,
            Rank = term?.Low.Shape.Columns ?? 0,
            StepsPerLayer = x.Shape.Columns,
            Accumulate = accumulate ? 1 : 0,
            Scale = scale,
        };
        LaunchArguments arguments = _arguments.Begin().View(left.Address, x.Shape.Count);
        arguments.View(weight.Address, codes ? weight.Bytes : weight.Shape.Count);
        _ = codes ? arguments.View(maxima.Address, Nf4Format.Blocks(weight.Shape.Count)) : arguments.NoView();
        _ = term is { } second ? arguments.View(low.Address, second.Low.Shape.Count).View(second.Factor, sizeof(float)) : arguments.NoView().NoView();
        arguments.View(Write(y), y.Shape.Count).Struct(sizes);
        Launch(GeneralKey(new GeneralVariant(form, left.DataType, weight.DataType, y.DataType)), GeneralGrid(sizes, 1), arguments);
    }

    /// <summary>y (+)= aᵀ·b. Long reductions go in ranges whose results are added in order.</summary>
    private void GradientGeneral(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        int tokens = a.Shape.Rows;
        var sizes = new ProductSizes
        {
            Rows = y.Shape.Rows,
            Columns = y.Shape.Columns,
            Reduction = tokens,
            StepsPerLayer = Math.Max(tokens, 1),
            Accumulate = accumulate ? 1 : 0,
            Scale = 1,
        };
        GridSize grid = GeneralGrid(sizes, 1);
        long ranges = Math.Min(tokens / TokensPerRange, BlocksWanted / ((long)grid.X * grid.Y));
        ranges = Math.Min(ranges, int.MaxValue / y.Shape.Count);
        if (ranges > 1)
        {
            sizes.StepsPerLayer = RoundUp(tokens / (double)ranges, ProductTile.Steps);
            sizes.Accumulate = 0;
            grid = GeneralGrid(sizes, (tokens + sizes.StepsPerLayer - 1) / sizes.StepsPerLayer);
        }

        KernelKey key = GeneralKey(new GeneralVariant(ProductForm.Gradient, a.DataType, b.DataType, DataType.Float32));
        long count = y.Shape.Count;
        DeviceBuffer? parts = ranges > 1 ? Memory.Rent(sizeof(float) * count * grid.Z, MemoryPurpose.Workspace) : null;
        nint target = Write(y);
        LaunchArguments arguments = _arguments.Begin().View(a.Address, a.Shape.Count).View(b.Address, b.Shape.Count).NoView().NoView().NoView();
        Launch(key, grid, arguments.View(parts?.Address ?? target, count * grid.Z).Struct(sizes));
        if (parts is not null)
        {
            AddParts(parts, target, (int)count, grid.Z, accumulate);
            parts.Release();
        }
    }

    /// <summary>y (+)= the sum of parts that follow one another, y in fp32.</summary>
    private void AddParts(DeviceBuffer parts, nint y, int count, int partCount, bool accumulate) =>
        AddParts(parts, y, DataType.Float32, count, partCount, 1, accumulate);

    /// <summary>y (+)= scale times the sum of parts that follow one another.</summary>
    private void AddParts(DeviceBuffer parts, nint y, DataType type, int count, int partCount, float scale, bool accumulate) => Launch(
        new KernelKey(typeof(ColumnKernels), nameof(ColumnKernels.SumParts), ColumnKernels.Threads, First: Element(type)),
        GridSize.Covering(count, ColumnKernels.Threads),
        _arguments.Begin().View(parts.Address, (long)count * partCount).View(y, count).Int(count).Int(partCount).Float(scale).Int(accumulate ? 1 : 0));

    /// <summary>An operand as it is, or in fp32 where the other one has another type.</summary>
    private Scratch SameType(Tensor? tensor, Tensor? other)
    {
        if (tensor is null || other is null || tensor.DataType == other.DataType || tensor.DataType == DataType.Float32)
        {
            return new Scratch(tensor?.Address ?? 0, tensor?.DataType ?? DataType.Float32, null);
        }

        return Converted(tensor, DataType.Float32);
    }

    private static int RoundUp(double value, int multiple) => (int)Math.Ceiling(value / multiple) * multiple;

    private static GridSize GeneralGrid(in ProductSizes sizes, int layers)
    {
        var grid = new GridSize(Tiles(sizes.Rows), Tiles(sizes.Columns), layers);
        return grid.Y <= GridLimit ? grid : throw new NotSupportedException($"A product has at most {GridLimit * ProductTile.Lines} columns, not {sizes.Columns}.");
    }

    private static int Tiles(int lines) => (lines + ProductTile.Lines - 1) / ProductTile.Lines;

    private KernelKey GeneralKey(GeneralVariant variant)
    {
        if (!_generalProducts.TryGetValue(variant, out KernelKey key))
        {
            bool codes = variant.Right == DataType.Nf4;
            Type storage = codes ? typeof(byte) : Element(variant.Right);
            Type reader = codes ? typeof(Nf4Reader) : typeof(DenseReader<>).MakeGenericType(storage);
            const string Method = nameof(GeneralProduct<AlongReduction, AlongReduction>.Multiply);
            key = new KernelKey(GeneralClass(variant.Form), Method, GeneralThreads, 0, Element(variant.Left), reader, storage, Element(variant.Result));
            _generalProducts.Add(variant, key);
        }

        return key;
    }

    /// <summary>One kernel of the general product.</summary>
    private readonly record struct GeneralVariant(ProductForm Form, DataType Left, DataType Right, DataType Result);
}
