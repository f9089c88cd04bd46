using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Products;

namespace PureSharpQLoRA.Cuda;

// Bias and its gradient.
public sealed partial class IlgpuBackend
{
    /// <summary>Rows that a block sums at least.</summary>
    private const int RowsPerPart = 512, MostParts = 64;

    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor bias)
    {
        const string Operation = "AddBias";
        CheckFloating(y, Operation, "y");
        ShapeException.ThrowIfNot(bias, DataType.Float32, Operation, "bias");
        ShapeException.ThrowIfNot(bias, new Shape(y.Shape.Columns), Operation, "bias");
        if (y.Shape.Count == 0)
        {
            return;
        }

        int rows = y.Shape.Rows, width = y.Shape.Columns;
        PackType packs = PackType.For(y.DataType, width, y.Address | bias.Address);
        int rowPacks = width / packs.Elements;
        LaunchPacks(
            typeof(ColumnKernels),
            nameof(ColumnKernels.AddBias),
            packs,
            ColumnKernels.Threads,
            GridSize.Covering(rowPacks, ColumnKernels.Threads) with { Y = Parts(rows) },
            _arguments.Begin().View(Write(y), (long)rows * rowPacks).View(bias, sizeof(float)).Int(rows).Int(rowPacks));
    }

    /// <inheritdoc/>
    public void SumRows(Tensor x, Tensor sums, bool accumulate)
    {
        const string Operation = "SumRows";
        CheckFloating(x, Operation, "x");
        ShapeException.ThrowIfNot(sums, DataType.Float32, Operation, "sums");
        ShapeException.ThrowIfNot(sums, new Shape(x.Shape.Columns), Operation, "sums");
        if (sums.Shape.Count == 0)
        {
            return;
        }

        int rows = x.Shape.Rows, width = x.Shape.Columns;
        int rowsPerPart = Math.Max(RowsPerPart, (rows + MostParts - 1) / MostParts), parts = Math.Max(1, (rows + rowsPerPart - 1) / rowsPerPart);
        DeviceBuffer sumsOfParts = Memory.Rent(sizeof(float) * (long)parts * width, MemoryPurpose.Workspace);
        Launch(
            new KernelKey(typeof(ColumnKernels), nameof(ColumnKernels.SumRows), ColumnKernels.Threads, First: Element(x)),
            GridSize.Covering(width, ColumnKernels.SumColumns) with { Y = parts },
            _arguments.Begin().View(x.Address, x.Shape.Count).View(sumsOfParts.Address, (long)parts * width).Int(rows).Int(width).Int(rowsPerPart));
        AddParts(sumsOfParts, Write(sums), width, parts, accumulate);
        sumsOfParts.Release();
    }
}
