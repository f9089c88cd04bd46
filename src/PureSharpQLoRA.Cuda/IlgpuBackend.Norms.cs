using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Layers;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <summary>Blocks that go from row to row: enough to fill a multiprocessor, few enough that what they hold is read for many rows.</summary>
    private const int BlocksPerMultiprocessor = 4;

    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        int rows = CheckNorm(x, weight, "RmsNorm"), size = weight.Shape.Columns;
        CheckActivation(y, x.Shape, "RmsNorm", "y");
        if (rows == 0)
        {
            return;
        }

        PackType packs = PackType.For(x.DataType, size, x.Address | weight.Address | y.Address);
        int rowPacks = size / packs.Elements;
        if (IsHeld(packs, rowPacks))
        {
            var held = HeldRows.For(rowPacks);
            long count = x.Shape.Count / packs.Elements;
            Launch(
                new KernelKey(
                    typeof(HeldRmsNormKernels), nameof(HeldRmsNormKernels.Forward), held.Threads, First: held.Row, Second: packs.Pack, Third: held.Reduction),
                HeldGrid(held, rows, BlocksPerMultiprocessor),
                _arguments.Begin().View(x.Address, count).View(weight.Address, size).View(Write(y), count)
                    .Int(rows).Int(rowPacks).Int(held.Lanes).Float(epsilon));
            return;
        }

        Launch(
            new KernelKey(typeof(RmsNormKernels), nameof(RmsNormKernels.Forward), RmsNormKernels.Threads, First: Element(x)),
            GridSize.Covering(rows, RmsNormKernels.Rows),
            _arguments.Begin().View(x.Address, x.Shape.Count).View(weight.Address, size).View(Write(y), x.Shape.Count)
                .Int(rows).Int(size).Float(epsilon));
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight)
    {
        const string Operation = "RmsNormBackward";
        int rows = CheckNorm(x, weight, Operation), size = weight.Shape.Columns;
        CheckActivation(dy, x.Shape, Operation, "dy");
        if (dx is not null)
        {
            CheckActivation(dx, x.Shape, Operation, "dx");
        }

        if (dWeight is not null)
        {
            CheckSingles(dWeight, weight.Shape, Operation, "dWeight");
        }

        int mode = dx is null ? RmsNormKernels.NoGradient : accumulateX ? RmsNormKernels.Accumulate : RmsNormKernels.Overwrite;
        PackType packs = PackType.For(x.DataType, size, x.Address | weight.Address | dy.Address | (dx?.Address ?? 0));
        if (rows > 0 && IsHeld(packs, size / packs.Elements))
        {
            HeldBackward(packs, x, weight, dy, epsilon, dx, mode, dWeight, accumulateWeight);
            return;
        }

        DeviceBuffer? inverses = dWeight is null ? null : Memory.Rent(sizeof(float) * (long)rows, MemoryPurpose.Workspace);
        if (rows > 0)
        {
            Launch(
                new KernelKey(typeof(RmsNormKernels), nameof(RmsNormKernels.Backward), RmsNormKernels.Threads, First: Element(x)),
                GridSize.Covering(rows, RmsNormKernels.Rows),
                _arguments.Begin().View(x.Address, x.Shape.Count).View(weight.Address, size).View(dy.Address, x.Shape.Count)
                    .View(dx is null ? 0 : Write(dx), x.Shape.Count).View(inverses?.Address ?? 0, rows)
                    .Int(rows).Int(size).Float(epsilon).Int(mode).Int(dWeight is null ? 0 : 1));
        }

        if (dWeight is not null)
        {
            ColumnDots(x, dy, rows, size, inverses!.Address, denominator: null, dWeight, accumulateWeight);
            inverses.Release();
        }
    }

    private static bool IsHeld(in PackType packs, int rowPacks) => packs.IsWide && rowPacks <= HeldRows.LongestRow;

    private void HeldBackward(
        in PackType packs, Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, int mode, Tensor? dWeight, bool accumulateWeight)
    {
        int size = weight.Shape.Columns, rows = (int)(x.Shape.Count / size), rowPacks = size / packs.Elements;
        var held = HeldRows.For(rowPacks);
        long count = x.Shape.Count / packs.Elements;
        // Fewer blocks for the gradient of the weight, which they each write a part of.
        GridSize grid = HeldGrid(held, rows, dWeight is null ? BlocksPerMultiprocessor : 2);
        int parts = held.Lanes <= 32 ? grid.X * held.Threads / 32 : grid.X;
        DeviceBuffer? sums = dWeight is null ? null : Memory.Rent(sizeof(float) * (long)parts * size, MemoryPurpose.Workspace);
        Launch(
            new KernelKey(
                typeof(HeldRmsNormKernels), nameof(HeldRmsNormKernels.Backward), held.Threads, 0,
                held.Row, packs.Pack, held.Reduction, dWeight is null ? typeof(Without) : typeof(With)),
            grid,
            _arguments.Begin().View(x.Address, count).View(weight.Address, size).View(dy.Address, count).View(dx is null ? 0 : Write(dx), count)
                .View(sums?.Address ?? 0, (long)parts * size).Int(rows).Int(rowPacks).Int(held.Lanes).Float(epsilon).Int(mode));
        if (dWeight is not null)
        {
            AddParts(sums!, Write(dWeight), size, parts, accumulateWeight);
            sums!.Release();
        }
    }

    private GridSize HeldGrid(in HeldRows held, int rows, int blocksPerMultiprocessor) =>
        new(Math.Min(GridSize.Covering(rows, held.Together).X, blocksPerMultiprocessor * _device.Properties.Multiprocessors));

    /// <summary>How many groups of the weight's size there are.</summary>
    private int CheckNorm(Tensor x, Tensor weight, string operation)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        CheckActivation(x, x.Shape, operation, "x");
        CheckSingles(weight, new Shape(weight.Shape.Columns), operation, "weight");
        int size = weight.Shape.Columns;
        return size > 0 && x.Shape.Columns % size == 0
            ? checked((int)(x.Shape.Count / size))
            : throw new ShapeException(operation, "x", $"[..., a multiple of {size}]", x.Shape.ToString());
    }
}
