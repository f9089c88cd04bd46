using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elementwise;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Fill(Tensor x, float value)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!IsFloating(x))
        {
            throw new ShapeException("Fill", "x", "fp32, fp16 or bf16", x.DataType.ToString());
        }

        if (value == 0 && !float.IsNegative(value))
        {
            nint address = Write(x);
            _device.Clear(address, x.Bytes);
            return;
        }

        FlatPacks packs = Flat(x, x.Address);
        LaunchFlat(
            typeof(ElementwiseKernels), nameof(ElementwiseKernels.Fill), packs,
            _arguments.Begin().View(Write(x), packs.Count).Int(packs.Count).Float(value));
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
            new KernelKey(typeof(ElementwiseKernels), nameof(ElementwiseKernels.Convert), ElementwiseKernels.Threads, First: Element(from), Second: Element(type)),
            GridSize.Covering(count, ElementwiseKernels.Threads),
            _arguments.Begin().View(from.Address, count).View(target, count).Int(count));
    }

    /// <summary>A copy of a tensor in another type, in workspace.</summary>
    private Scratch Converted(Tensor from, DataType type)
    {
        DeviceBuffer buffer = Memory.Rent(type.BytesFor(from.Shape.Count), MemoryPurpose.Workspace);
        Convert(from, buffer.Address, type);
        return new Scratch(buffer.Address, type, buffer);
    }

    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(a);
        CheckActivation(a, a.Shape, "Add", "a");
        CheckActivation(b, a.Shape, "Add", "b");
        CheckActivation(y, a.Shape, "Add", "y");
        FlatPacks packs = Flat(a, a.Address | b.Address | y.Address);
        LaunchFlat(
            typeof(ElementwiseKernels), nameof(ElementwiseKernels.Add), packs,
            _arguments.Begin().View(a.Address, packs.Count).View(b.Address, packs.Count).View(Write(y), packs.Count).Int(packs.Count));
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float scale, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        CheckActivation(x, x.Shape, "AddScaled", "x");
        CheckActivation(y, x.Shape, "AddScaled", "y");
        FlatPacks packs = Flat(x, x.Address | y.Address);
        LaunchFlat(
            typeof(ElementwiseKernels), nameof(ElementwiseKernels.AddScaled), packs,
            _arguments.Begin().View(x.Address, packs.Count).View(Write(y), packs.Count).Int(packs.Count).Float(scale));
    }

    /// <inheritdoc/>
    public void AddSum(Tensor x, Tensor total)
    {
        ShapeException.ThrowIfNot(x, DataType.Float32, "AddSum", "x");
        CheckSingles(total, ElementwiseOps.TotalShape, "AddSum", "total");
        int count = checked((int)x.Shape.Count), parts = GridSize.Covering(count, SumKernels.BlockElements).X;
        if (count == 0)
        {
            return;
        }

        DeviceBuffer partial = Memory.Rent(sizeof(double) * (long)parts, MemoryPurpose.Workspace);
        Launch(
            new KernelKey(typeof(SumKernels), nameof(SumKernels.Partial), SumKernels.Threads), new GridSize(parts),
            _arguments.Begin().View(x.Address, count).View(partial.Address, parts).Int(count));
        Launch(
            new KernelKey(typeof(SumKernels), nameof(SumKernels.Finish), SumKernels.Threads), new GridSize(1),
            _arguments.Begin().View(partial.Address, parts).View(Write(total), 2).Int(parts));
        partial.Release();
    }

    private static bool IsFloating(Tensor tensor) => tensor.DataType is DataType.Float32 or DataType.Float16 or DataType.BFloat16;
}
