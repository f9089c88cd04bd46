using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Layers;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        int rows = CheckNorm(x, weight, "RmsNorm"), size = weight.Shape.Columns;
        CheckActivation(y, x.Shape, "RmsNorm", "y");
        if (rows == 0)
        {
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

        DeviceBuffer? inverses = dWeight is null ? null : Memory.Rent(sizeof(float) * (long)rows, MemoryPurpose.Workspace);
        int mode = dx is null ? RmsNormKernels.NoGradient : accumulateX ? RmsNormKernels.Accumulate : RmsNormKernels.Overwrite;
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
