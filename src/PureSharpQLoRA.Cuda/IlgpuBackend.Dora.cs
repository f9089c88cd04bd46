using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Dora;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Products;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <summary>The fewest rows that a thread walks down for what it reads or writes once a column.</summary>
    private const int PartRows = 32;

    /// <summary>The most parts that a sum over rows has.</summary>
    private const int MaximumParts = 64;

    /// <inheritdoc/>
    public void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms)
    {
        const string Operation = "AdaptedRowNorms";
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(a);
        int outputs = weight.Shape.Rows, inputs = weight.Shape.Columns, rank = a.Shape.Rows;
        CheckSingles(a, new Shape(rank, inputs), Operation, "a");
        CheckSingles(b, new Shape(outputs, rank), Operation, "b");
        CheckSingles(norms, new Shape(outputs), Operation, "norms");
        bool quantized = weight.DataType == DataType.Nf4;
        if (!quantized && !IsFloating(weight))
        {
            throw new ShapeException(Operation, "weight", "fp32, fp16, bf16 or NF4", weight.DataType.ToString());
        }

        if (outputs == 0)
        {
            return;
        }

        using Scratch maxima = quantized ? Nf4Maxima(weight, Operation) : default;
        long blocks = quantized ? Nf4Format.Blocks(weight.Shape.Count) : 0;
        if (inputs % 4 == 0 && rank <= QuadRowNormKernels.MaximumRank && (weight.Address | a.Address) % VectorBytes == 0)
        {
            (Type quad, Type quadReader, int quadBytes) = QuadReader(weight);
            Launch(
                new KernelKey(typeof(QuadRowNormKernels), nameof(QuadRowNormKernels.Run), QuadRowNormKernels.Threads, First: quad, Second: quadReader),
                GridSize.Covering(outputs, QuadRowNormKernels.Rows),
                _arguments.Begin().View(weight, quadBytes).View(maxima.Address, blocks)
                    .View(a, sizeof(float)).View(b, sizeof(float)).View(Write(norms), outputs).Int(outputs).Int(inputs / 4).Int(rank).Float(scale));
            return;
        }

        if (rank > AdaptedRowNormKernels.MaximumRank)
        {
            throw new ShapeException(Operation, "a", $"of rank {AdaptedRowNormKernels.MaximumRank} at most", a.Shape.ToString());
        }

        (Type storage, Type reader) = RowReader(weight);
        Launch(
            new KernelKey(typeof(AdaptedRowNormKernels), nameof(AdaptedRowNormKernels.Run), RowThreads(inputs), First: storage, Second: reader),
            GridSize.Covering(outputs, AdaptedRowNormKernels.Rows),
            _arguments.Begin().View(weight.Address, quantized ? weight.Bytes : weight.Shape.Count).View(maxima.Address, blocks)
                .View(a, sizeof(float)).View(b, sizeof(float)).View(Write(norms), outputs)
                .Int(outputs).Int(inputs).Int(rank).Float(scale));
    }

    /// <inheritdoc/>
    public void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y)
    {
        const string Operation = "ScaleColumns";
        ArgumentNullException.ThrowIfNull(x);
        int rows = x.Shape.Rows, width = x.Shape.Columns;
        CheckActivation(x, x.Shape, Operation, "x");
        CheckActivation(y, x.Shape, Operation, "y");
        CheckSingles(numerator, new Shape(width), Operation, "numerator");
        CheckSingles(denominator, new Shape(width), Operation, "denominator");
        PackType packs = PackType.For(x.DataType, width, x.Address | y.Address | numerator.Address | denominator.Address);
        int rowPacks = width / packs.Elements, parts = Parts(rows);
        long count = x.Shape.Count / packs.Elements;
        LaunchArguments arguments = _arguments.Begin().View(x.Address, count).View(numerator.Address, width).View(denominator.Address, width)
            .View(Write(y), count).Int(rows).Int(rowPacks).Int(RowsOf(parts, rows));
        var grid = new GridSize(GridSize.Covering(rowPacks, ColumnFactorKernels.Threads).X, parts);
        LaunchPacks(typeof(ColumnFactorKernels), nameof(ColumnFactorKernels.Scale), packs, ColumnFactorKernels.Threads, grid, arguments);
    }

    /// <inheritdoc/>
    public void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate)
    {
        const string Operation = "ColumnDots";
        ArgumentNullException.ThrowIfNull(x);
        int width = x.Shape.Columns;
        CheckActivation(x, x.Shape, Operation, "x");
        CheckActivation(y, x.Shape, Operation, "y");
        CheckSingles(denominator, new Shape(width), Operation, "denominator");
        CheckSingles(result, new Shape(width), Operation, "result");
        ColumnDots(x, y, x.Shape.Rows, width, rowFactors: 0, denominator, result, accumulate);
    }

    /// <summary>result[n] (+)= sum over rows of x y rowFactor, over denominator[n]; x and y are [rows, width] whatever their shape says.</summary>
    private void ColumnDots(Tensor x, Tensor y, int rows, int width, nint rowFactors, Tensor? denominator, Tensor result, bool accumulate)
    {
        if (width == 0)
        {
            return;
        }

        PackType packs = PackType.For(x.DataType, width, x.Address | y.Address);
        int rowPacks = width / packs.Elements, parts = Parts(rows);
        long count = x.Shape.Count / packs.Elements;
        DeviceBuffer partial = Memory.Rent(sizeof(float) * (long)parts * width, MemoryPurpose.Workspace);
        LaunchArguments arguments = _arguments.Begin().View(x.Address, count).View(y.Address, count).View(rowFactors, rows)
            .View(partial.Address, (long)parts * width).Int(rows).Int(rowPacks).Int(RowsOf(parts, rows)).Int(rowFactors == 0 ? 0 : 1);
        var grid = new GridSize(GridSize.Covering(rowPacks, ColumnFactorKernels.Threads).X, parts);
        LaunchPacks(typeof(ColumnFactorKernels), nameof(ColumnFactorKernels.Dots), packs, ColumnFactorKernels.Threads, grid, arguments);
        if (denominator is null)
        {
            AddParts(partial, Write(result), width, parts, accumulate);
        }
        else
        {
            Launch(
                new KernelKey(typeof(ColumnFactorKernels), nameof(ColumnFactorKernels.AddQuotients), ColumnFactorKernels.Threads),
                GridSize.Covering(width, ColumnFactorKernels.Threads),
                _arguments.Begin().View(partial.Address, (long)parts * width).View(denominator.Address, width).View(Write(result), width)
                    .Int(parts).Int(width).Int(accumulate ? 1 : 0));
        }

        partial.Release();
    }

    private static int Parts(int rows) => Math.Clamp((rows + PartRows - 1) / PartRows, 0, MaximumParts);

    private static int RowsOf(int parts, int rows) => parts == 0 ? 0 : (rows + parts - 1) / parts;

    private static (Type Storage, Type Reader) RowReader(Tensor weight) => weight.DataType switch
    {
        DataType.Float32 => (typeof(SingleElement), typeof(DenseReader<SingleElement>)),
        DataType.Float16 => (typeof(HalfElement), typeof(DenseReader<HalfElement>)),
        DataType.BFloat16 => (typeof(BrainElement), typeof(DenseReader<BrainElement>)),
        _ => (typeof(byte), typeof(Nf4Reader)),
    };

    private static (Type Quad, Type Reader, int Bytes) QuadReader(Tensor weight) => weight.DataType switch
    {
        DataType.Float32 => (typeof(U4), typeof(SingleQuadReader), 16),
        DataType.Float16 => (typeof(U2), typeof(HalfQuadReader), 8),
        DataType.BFloat16 => (typeof(U2), typeof(BrainQuadReader), 8),
        _ => (typeof(ushort), typeof(Nf4QuadReader), 2),
    };
}
