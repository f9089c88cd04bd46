using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Fill(Tensor x, float value)
    {
        ShapeException.ThrowIfNot(x, DataType.Float32, "Fill", "x");
        int count = checked((int)x.Shape.Count);
        if (count == 0)
        {
            return;
        }

        nint address = Write(x);
        if (value == 0)
        {
            _device.Clear(address, x.Bytes);
            return;
        }

        Launch(
            new KernelKey(typeof(FillKernels), nameof(FillKernels.Fill), FillKernels.Threads),
            GridSize.Covering(count, FillKernels.Threads),
            _arguments.Begin().View(address, count).Int(count).Float(value));
    }

    /// <inheritdoc/>
    public void Copy(Tensor from, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from.Shape.Count != to.Shape.Count)
        {
            throw new ShapeException("Copy", "the target", $"of {from.Shape.Count} elements", to.Shape.ToString());
        }

        if (from.DataType != to.DataType && !(IsFloating(from) && IsFloating(to)))
        {
            throw new ShapeException("Copy", "the pair of types", "two of fp32, fp16 and bf16, or the same", $"{from.DataType} to {to.DataType}");
        }

        int count = checked((int)from.Shape.Count);
        nint target = Write(to);
        if (count == 0)
        {
            return;
        }

        if (from.DataType == to.DataType)
        {
            _device.CopyOnDevice(from.Address, target, from.Bytes);
            return;
        }

        Convert(from, target, to.DataType);
    }

    /// <summary>Writes a tensor's elements in another type.</summary>
    private void Convert(Tensor from, nint target, DataType type)
    {
        int count = checked((int)from.Shape.Count);
        Launch(
            new KernelKey(typeof(FillKernels), nameof(FillKernels.Convert), FillKernels.Threads, First: Element(from), Second: Element(type)),
            GridSize.Covering(count, FillKernels.Threads),
            _arguments.Begin().View(from.Address, count).View(target, count).Int(count));
    }

    /// <summary>A copy of a tensor in another type, in workspace.</summary>
    private Scratch Converted(Tensor from, DataType type)
    {
        DeviceBuffer buffer = Memory.Rent(type.BytesFor(from.Shape.Count), MemoryPurpose.Workspace);
        Convert(from, buffer.Address, type);
        return new Scratch(buffer.Address, type, buffer);
    }

    private static bool IsFloating(Tensor tensor) => tensor.DataType is DataType.Float32 or DataType.Float16 or DataType.BFloat16;
}
