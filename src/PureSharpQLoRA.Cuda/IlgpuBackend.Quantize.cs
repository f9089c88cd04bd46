using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Nf4;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void QuantizeNf4(Tensor source, Tensor codes)
    {
        const string Operation = "QuantizeNf4";
        CheckFloating(source, Operation, "source");
        ArgumentNullException.ThrowIfNull(codes);
        ShapeException.ThrowIfNot(codes, source.Shape, Operation, "codes");
        ShapeException.ThrowIfNot(codes, DataType.Nf4, Operation, "codes");
        Tensor maxima = codes.Quantization?.AbsoluteMaxima ?? throw new ShapeException(Operation, "codes", "accompanied by absolute maxima", "without them");
        int count = checked((int)source.Shape.Count), blocks = (int)Nf4Format.Blocks(count), whole = 0;
        CheckSingles(maxima, new Shape(blocks), Operation, "the absolute maxima");
        nint target = Write(codes), maximaTarget = Write(maxima);
        if (source.Address % VectorBytes == 0 && target % sizeof(uint) == 0)
        {
            whole = count / Nf4Format.BlockSize;
        }

        if (whole > 0)
        {
            Launch(
                new KernelKey(typeof(Nf4QuantizeKernels), nameof(Nf4QuantizeKernels.Blocks), Nf4QuantizeKernels.Threads, First: Vector(source)),
                GridSize.Covering((long)whole * Nf4QuantizeKernels.ThreadsPerBlock, Nf4QuantizeKernels.Threads),
                _arguments.Begin().View(source, VectorBytes).View(target, codes.Bytes / sizeof(uint)).View(maximaTarget, blocks).Int(whole));
        }

        if (whole < blocks)
        {
            Launch(
                new KernelKey(typeof(Nf4QuantizeKernels), nameof(Nf4QuantizeKernels.Elements), Nf4QuantizeKernels.Threads, First: Element(source)),
                GridSize.Covering(blocks - whole, Nf4QuantizeKernels.Threads),
                _arguments.Begin().View(source.Address, count).View(target, codes.Bytes).View(maximaTarget, blocks).Int(whole).Int(count));
        }
    }
}
