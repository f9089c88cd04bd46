using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Products;

namespace PureSharpQLoRA.Cuda;

// Products on tensor cores.
public sealed partial class IlgpuBackend
{
    /// <summary>Sizes up to this are of low rank: their 16-bit copies are small, and kept.</summary>
    private const int LargestRank = 256;

    /// <summary>A layer of a split reduction takes at least this many steps.</summary>
    private const int StepsPerLayer = 256;

    private readonly Dictionary<TensorVariant, KernelKey> _tensorProducts = [];

    /// <summary>y (+)= scale * left·right (+ low·factor) on tensor cores; false where they do not take the types, and nothing was done.</summary>
    private bool TryTensorProduct(ProductForm form, Tensor left, Tensor right, Tensor y, float scale, bool accumulate, LowRankTerm? term)
    {
        DataType type = form == ProductForm.Gradient ? right.DataType : left.DataType == DataType.Float32 ? y.DataType : left.DataType;
        bool possible = type == DataType.Float16 ? _kernels.Architecture >= 75 : type == DataType.BFloat16 && _kernels.Architecture >= 80;

        // A factor on the first term alone, and rows of different scales inside a reduction, are left to the general path.
        bool scaledRows = left.DataType == DataType.Float32 && type == DataType.Float16;
        if (!possible || right.DataType == DataType.Nf4 || (term is not null && (scale != 1 || scaledRows)) || (scaledRows && form == ProductForm.Gradient))
        {
            return false;
        }

        using NarrowOperand l = scaledRows ? ScaledRows(left) : Narrow(left, type, isWeight: false);
        using NarrowOperand r = Narrow(right, type, isWeight: form != ProductForm.Gradient);
        using NarrowOperand low = term is { } first ? Narrow(first.Low, type, isWeight: false) : default;
        using NarrowOperand factor = term is { } second ? Narrow(second.Factor, type, isWeight: true) : default;
        var sizes = new TensorSizes
        {
            Rows = y.Shape.Rows,
            Columns = y.Shape.Columns,
            LeftLines = form == ProductForm.Gradient ? l.Columns : l.Rows,
            RightLines = form == ProductForm.Transposed ? r.Rows : r.Columns,
            LeftStride = l.Columns / 8,
            RightStride = r.Columns / 8,
            LowStride = low.Columns / 8,
            FactorStride = factor.Columns / 8,
            LeftEnd = form == ProductForm.Gradient ? l.Rows : l.Columns,
            RightEnd = form == ProductForm.Transposed ? r.Columns : r.Rows,
            LowEnd = low.Columns,
            FactorEnd = form == ProductForm.Transposed ? factor.Columns : factor.Rows,
            HasRowScales = l.RowScales != 0 ? 1 : 0,
            Scale = scale,
        };
        MultiplyTensors(form, l, r, low, factor, y, sizes, type, accumulate);
        return true;
    }

    private void MultiplyTensors(
        ProductForm form, NarrowOperand l, NarrowOperand r, NarrowOperand low, NarrowOperand factor, Tensor y, TensorSizes sizes, DataType type, bool accumulate)
    {
        var variant = new TensorVariant(form, TensorVariant.ShapeFor(sizes.Rows, sizes.Columns), type, r.DataType, y.DataType);
        (int tileRows, int tileColumns) = variant.Tile;
        var grid = new GridSize((sizes.Rows + tileRows - 1) / tileRows, (sizes.Columns + tileColumns - 1) / tileColumns);
        int layers = sizes.LowEnd > 0 || sizes.HasRowScales != 0 ? 1 : Layers(sizes.LeftEnd, (long)grid.X * grid.Y, y.Shape.Count);
        sizes.StepsPerLayer = RoundUp(sizes.LeftEnd / (double)layers, 32);
        nint target = Write(y);
        DeviceBuffer? parts = null;
        if (layers > 1)
        {
            grid = grid with { Z = (sizes.LeftEnd + sizes.StepsPerLayer - 1) / sizes.StepsPerLayer };
            variant = variant with { Result = DataType.Float32 };
            parts = Memory.Rent(sizeof(float) * y.Shape.Count * grid.Z, MemoryPurpose.Workspace);
        }

        float scale = sizes.Scale;
        nint result = parts?.Address ?? target;
        sizes.Scale = parts is null ? scale : 1;
        sizes.Accumulate = accumulate && parts is null ? 1 : 0;
        sizes.Aligned = sizes.Columns % 4 == 0 && result % variant.Result.BytesFor(4) == 0 ? 1 : 0;
        if (!_tensorProducts.TryGetValue(variant, out KernelKey key))
        {
            _tensorProducts.Add(variant, key = variant.Key(_kernels.Architecture));
        }

        LaunchArguments arguments = _arguments.Begin().View(l.Address, l.Chunks).View(r.Address, r.Chunks).View(low.Address, low.Chunks).View(factor.Address, factor.Chunks);
        Launch(key, grid, arguments.View(l.RowScales, l.RowScales == 0 ? 0 : l.Rows).View(result, y.Shape.Count * grid.Z).Struct(sizes));
        if (parts is not null)
        {
            AddParts(parts, target, y.DataType, checked((int)y.Shape.Count), grid.Z, scale, accumulate);
            parts.Release();
        }
    }

    /// <summary>Layers of a reduction, so that every multiprocessor has two blocks where the result alone has too few.</summary>
    private int Layers(int steps, long blocks, long count)
    {
        long wanted = Math.Min(2L * _device.Properties.Multiprocessors / blocks, steps / StepsPerLayer);
        return (int)Math.Clamp(wanted, 1, int.MaxValue / count);
    }

    /// <summary>An operand for tensor cores: as it is where its rows are whole chunks, else a copy with zeros behind each row.</summary>
    private NarrowOperand Narrow(Tensor tensor, DataType type, bool isWeight)
    {
        int rows = tensor.Shape.Rows, columns = tensor.Shape.Columns;
        bool isNarrow = tensor.DataType == type || (isWeight && tensor.DataType != DataType.Float32);
        if (isNarrow && IsVectorized(tensor))
        {
            return new NarrowOperand(tensor.Address, tensor.DataType, rows, columns, 0, null);
        }

        int padded = (columns + 7) / 8 * 8;
        if (isWeight && tensor.DataType == DataType.Float32 && Math.Min(rows, columns) <= LargestRank)
        {
            if (!_narrowCopies.TryFind(tensor, type, (long)rows * padded, out nint kept))
            {
                Pad(tensor, kept, type, padded);
            }

            return new NarrowOperand(kept, type, rows, padded, 0, null);
        }

        DeviceBuffer copy = Memory.Rent(type.BytesFor((long)rows * padded), MemoryPurpose.Workspace);
        Pad(tensor, copy.Address, type, padded);
        return new NarrowOperand(copy.Address, type, rows, padded, 0, copy);
    }

    private void Pad(Tensor from, nint to, DataType type, int padded)
    {
        int count = checked(from.Shape.Rows * padded);
        Launch(
            new KernelKey(typeof(NarrowKernels), nameof(NarrowKernels.Pad), NarrowKernels.Threads, First: Element(from), Second: Element(type)),
            GridSize.Covering(count, NarrowKernels.Threads),
            _arguments.Begin().View(from.Address, from.Shape.Count).View(to, count).Int(count).Int(from.Shape.Columns).Int(padded));
    }

    /// <summary>Rows of fp32 as fp16 with a scale each.</summary>
    private NarrowOperand ScaledRows(Tensor tensor)
    {
        int rows = tensor.Shape.Rows, columns = tensor.Shape.Columns, padded = (columns + 7) / 8 * 8;
        long count = (long)rows * padded, bytes = DataType.Float16.BytesFor(count);
        DeviceBuffer copy = Memory.Rent(bytes + sizeof(float) * (long)rows, MemoryPurpose.Workspace);
        nint scales = copy.Address + (nint)bytes;
        Launch(
            new KernelKey(typeof(NarrowKernels), nameof(NarrowKernels.ScaleRows), NarrowKernels.Threads),
            new GridSize(rows),
            _arguments.Begin().View(tensor, sizeof(float)).View(copy.Address, count).View(scales, rows).Int(columns).Int(padded));
        return new NarrowOperand(copy.Address, DataType.Float16, rows, padded, scales, copy);
    }

    /// <summary>An operand of 16-bit elements whose rows are whole chunks of eight.</summary>
    private readonly record struct NarrowOperand(nint Address, DataType DataType, int Rows, int Columns, nint RowScales, DeviceBuffer? Copy) : IDisposable
    {
        /// <summary>16-byte chunks.</summary>
        public long Chunks => (long)Rows * Columns / 8;

        public void Dispose() => Copy?.Release();
    }
}
