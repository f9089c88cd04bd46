using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Nf4;
using FourTiles = PureSharpQLoRA.Cuda.Kernels.Nf4.Stacked<
    PureSharpQLoRA.Cuda.Kernels.Nf4.Stacked<PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile, PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile>,
    PureSharpQLoRA.Cuda.Kernels.Nf4.Stacked<PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile, PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile>>;
using TwoTiles = PureSharpQLoRA.Cuda.Kernels.Nf4.Stacked<PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile, PureSharpQLoRA.Cuda.Kernels.Nf4.RowTile>;

namespace PureSharpQLoRA.Cuda;

// Products on NF4 weights whose rows are whole blocks, with 16-bit activations, on tensor cores.
public sealed partial class IlgpuBackend
{
    private const int Nf4Columns = 256;

    /// <summary>y (+)= scale * x·weightᵀ (+ low·factorᵀ) by the fast kernels; false where they do not fit and nothing was done.</summary>
    private bool TryNf4Forward(Tensor x, Tensor weight, Tensor y, float scale, bool accumulate, LowRankTerm? term)
    {
        if (!FitsNf4(x, weight, y, scale) || x.Address % VectorBytes != 0)
        {
            return false;
        }

        int outputs = weight.Shape.Rows;
        using NarrowOperand low = term is { } first ? Narrow(first.Low, x.DataType, isWeight: false) : default;
        using NarrowOperand factor = term is { } second ? Narrow(second.Factor, x.DataType, isWeight: true) : default;
        int rank = term?.Low.Shape.Columns ?? 0;
        if (x.Shape.Rows <= Nf4Gemv.MaximumTokens)
        {
            LaunchNf4Gemv(x, weight, y, scale, accumulate, low, factor, rank);
        }
        else if (outputs % 8 == 0)
        {
            LaunchNf4<ForwardSide<AlignedRows>>(x, weight, y, scale, accumulate, low, factor, rank, copied: _kernels.Architecture >= 80);
        }
        else
        {
            LaunchNf4<ForwardSide<AnyRows>>(x, weight, y, scale, accumulate, low, factor, rank, copied: _kernels.Architecture >= 80);
        }

        return true;
    }

    /// <summary>dx (+)= scale * dy·weight (+ low·factor) by the fast kernels; false where they do not fit and nothing was done.</summary>
    private bool TryNf4Backward(Tensor dy, Tensor weight, Tensor dx, float scale, bool accumulate, LowRankTerm? term)
    {
        if (!FitsNf4(dy, weight, dx, scale))
        {
            return false;
        }

        using NarrowOperand low = term is { } first ? Narrow(first.Low, dy.DataType, isWeight: false) : default;
        using NarrowOperand factor = term is { } second ? Narrow(second.Factor, dy.DataType, isWeight: true) : default;
        int rank = term?.Low.Shape.Columns ?? 0;
        if (IsVectorized(dy))
        {
            LaunchNf4<BackwardSide<AlignedRows>>(dy, weight, dx, scale, accumulate, low, factor, rank, copied: _kernels.Architecture >= 80);
        }
        else
        {
            LaunchNf4<BackwardSide<AnyRows>>(dy, weight, dx, scale, accumulate, low, factor, rank, copied: false);
        }

        return true;
    }

    /// <summary>The fp32 absolute maxima of a weight, for operations that take any: they may have been prepared for the fast products.</summary>
    private Scratch Nf4Maxima(Tensor weight, string operation)
    {
        Tensor maxima = weight.Quantization?.AbsoluteMaxima
            ?? throw new ShapeException(operation, "the NF4 weight", "accompanied by absolute maxima", "without them");
        if (!IsPrepared(maxima))
        {
            CheckSingles(maxima, new Shape(checked((int)Nf4Format.Blocks(weight.Shape.Count))), operation, "the absolute maxima");
            return new Scratch(maxima.Address, DataType.Float32, null);
        }

        int rowBlocks = weight.Shape.Columns / Nf4Format.BlockSize, stride = ScaleStride(weight), count = weight.Shape.Rows * rowBlocks;
        DeviceBuffer restored = Memory.Rent(sizeof(float) * (long)count, MemoryPurpose.Workspace);
        Launch(
            new KernelKey(typeof(Nf4ScaleKernels), nameof(Nf4ScaleKernels.Restore), Nf4ScaleKernels.Threads),
            GridSize.Covering(count, Nf4ScaleKernels.Threads),
            _arguments.Begin().View(PreparedScales.Values(maxima), (long)rowBlocks * stride).View(maxima.Address, PreparedScales.Exponents)
                .View(restored.Address, count).Int(count).Int(rowBlocks).Int(stride));
        return new Scratch(restored.Address, DataType.Float32, restored);
    }

    private static bool IsPrepared(Tensor maxima) => maxima.DataType == DataType.Float16;

    /// <summary>Prepared scales in a row: one per output, rounded up.</summary>
    private static int ScaleStride(Tensor weight) => (weight.Shape.Rows + 7) & -8;

    private bool FitsNf4(Tensor activations, Tensor weight, Tensor result, float scale)
    {
        bool type = activations.DataType == DataType.Float16 ? _kernels.Architecture >= 75 : activations.DataType == DataType.BFloat16 && _kernels.Architecture >= 80;
        return type
            && weight.DataType == DataType.Nf4
            && weight.Quantization is not null
            && weight.Shape.Count > 0
            && weight.Shape.Columns % Nf4Format.BlockSize == 0
            && weight.Address % VectorBytes == 0
            && result.Shape.Rows > 0
            && IsFloating(result)
            && (result.DataType != DataType.BFloat16 || _kernels.Architecture >= 80)
            && scale != 0
            && Math.Max(Math.Max(weight.Shape.Count, activations.Shape.Count), result.Shape.Count) <= int.MaxValue
            && result.Shape.Rows <= GridLimit * Tile32.Rows;
    }

    private void LaunchNf4Gemv(Tensor x, Tensor weight, Tensor y, float scale, bool accumulate, NarrowOperand low, NarrowOperand factor, int rank)
    {
        nint scales = PrepareScales(weight);
        int tokens = x.Shape.Rows, outputs = weight.Shape.Rows;
        LaunchArguments arguments = _arguments.Begin().View(x, VectorBytes).View(weight, VectorBytes)
            .View(PreparedScales.Values(weight.Quantization!.AbsoluteMaxima), ScaleCount(weight)).View(scales, PreparedScales.Exponents);
        AddRest(arguments, y, aligned: false, low, factor, weight.Shape.Columns, rank, scale, accumulate);
        Launch(
            new KernelKey(typeof(Nf4Gemv), nameof(Nf4Gemv.Run), Nf4Gemv.Threads, x.DataType == DataType.BFloat16 ? 2 : 3, Core(x), Element(y)),
            GridSize.Covering(outputs, Nf4Gemv.RowsPerBlock),
            arguments);
    }

    private void LaunchNf4<TSide>(Tensor activations, Tensor weight, Tensor result, float scale, bool accumulate, NarrowOperand low, NarrowOperand factor, int rank, bool copied)
        where TSide : struct, INf4Side<TSide>
    {
        nint scales = PrepareScales(weight);
        int rows = result.Shape.Rows, columns = result.Shape.Columns, reduction = activations.Shape.Columns;
        LaunchArguments arguments = _arguments.Begin().View(activations.Address, activations.Bytes / VectorBytes).View(weight, sizeof(uint))
            .View(PreparedScales.Values(weight.Quantization!.AbsoluteMaxima), ScaleCount(weight) / 8).View(scales, PreparedScales.Exponents);
        AddRest(arguments, result, IsVectorized(result), low, factor, reduction, rank, scale, accumulate);
        (Type product, int threads, int minimumBlocks, int tileRows) = Nf4Tile<TSide>(rows, columns);
        const string Staged = nameof(Nf4Product<Tile64, FourTiles, TSide>.Staged), Copied = nameof(Nf4Product<Tile64, FourTiles, TSide>.Copied);
        Launch(
            new KernelKey(product, copied ? Copied : Staged, threads, minimumBlocks, Core(activations), Output(result)),
            new GridSize((columns + Nf4Columns - 1) / Nf4Columns, (rows + tileRows - 1) / tileRows),
            arguments);
    }

    private static void AddRest(
        LaunchArguments arguments, Tensor result, bool aligned, NarrowOperand low, NarrowOperand factor, int reduction, int rank, float scale, bool accumulate)
    {
        arguments.View(Write(result), aligned ? result.Bytes / VectorBytes : result.Shape.Count).View(low.Address, 2 * low.Chunks).View(factor.Address, 2 * factor.Chunks)
            .Int(result.Shape.Rows).Int(result.Shape.Columns).Int(reduction).Int(rank).Float(scale).Float(1 / scale).Int(accumulate ? 1 : 0);
    }

    /// <summary>
    /// Wide tiles where they keep the card busy: 128 rows on Hopper, whose tensor cores ask for the most operands, 64 elsewhere, 32 for few rows.
    /// </summary>
    private (Type Product, int Threads, int MinimumBlocks, int Rows) Nf4Tile<TSide>(int rows, int columns)
        where TSide : struct, INf4Side<TSide>
    {
        long across = (columns + Nf4Columns - 1) / Nf4Columns;
        int multiprocessors = _device.Properties.Multiprocessors;
        if (_device.Properties.ComputeCapability >= 90 && rows > Tile64.Rows && across * ((rows + Tile128.Rows - 1) / Tile128.Rows) >= multiprocessors)
        {
            return (typeof(Nf4Product<Tile128, FourTiles, TSide>), Tile128.Threads, 1, Tile128.Rows);
        }

        return rows > Tile32.Rows && across * ((rows + Tile64.Rows - 1) / Tile64.Rows) >= multiprocessors
            ? (typeof(Nf4Product<Tile64, FourTiles, TSide>), Tile64.Threads, 2, Tile64.Rows)
            : (typeof(Nf4Product<Tile32, TwoTiles, TSide>), Tile32.Threads, 2, Tile32.Rows);
    }

    private Type Core(Tensor activations) => activations.DataType == DataType.BFloat16 ? typeof(AmpereBrainCore)
        : _kernels.Architecture >= 80 ? typeof(AmpereHalfCore) : typeof(TuringHalfCore);

    private static Type Output(Tensor result) => (result.DataType, IsVectorized(result)) switch
    {
        (DataType.Float16, true) => typeof(AlignedOutput<HalfVector>),
        (DataType.Float16, false) => typeof(AnyOutput<HalfElement>),
        (DataType.BFloat16, true) => typeof(AlignedOutput<BrainVector>),
        (DataType.BFloat16, false) => typeof(AnyOutput<BrainElement>),
        (_, true) => typeof(AlignedOutput<SingleVector>),
        (_, false) => typeof(AnyOutput<SingleElement>),
    };

    private static long ScaleCount(Tensor weight) => (long)(weight.Shape.Columns / Nf4Format.BlockSize) * ScaleStride(weight);

    /// <summary>
    /// Where a weight's prepared scales lie. They replace the fp32 absolute maxima the first time a fast product needs them: half the memory, and
    /// the memory of the maxima goes back to the device.
    /// </summary>
    private nint PrepareScales(Tensor weight)
    {
        Tensor maxima = weight.Quantization!.AbsoluteMaxima;
        if (IsPrepared(maxima))
        {
            return maxima.Address;
        }

        int rows = weight.Shape.Rows, rowBlocks = weight.Shape.Columns / Nf4Format.BlockSize, stride = ScaleStride(weight), blocks = rows * rowBlocks;
        CheckSingles(maxima, new Shape(blocks), "Nf4Product", "the absolute maxima");
        var shape = new Shape(checked((int)(PreparedScales.HeaderElements + ScaleCount(weight))));
        DeviceBuffer prepared = Memory.Rent(DataType.Float16.BytesFor(shape.Count), MemoryPurpose.Weights);
        Launch(
            new KernelKey(typeof(Nf4ScaleKernels), nameof(Nf4ScaleKernels.Exponent), Nf4ScaleKernels.ExponentThreads),
            new GridSize(1),
            _arguments.Begin().View(maxima.Address, blocks).View(prepared.Address, PreparedScales.Exponents).Int(blocks));
        Launch(
            new KernelKey(typeof(Nf4ScaleKernels), nameof(Nf4ScaleKernels.Prepare), Nf4ScaleKernels.Threads),
            new GridSize((rowBlocks + Nf4ScaleKernels.TileSide - 1) / Nf4ScaleKernels.TileSide, (stride + Nf4ScaleKernels.TileSide - 1) / Nf4ScaleKernels.TileSide),
            _arguments.Begin().View(maxima.Address, blocks).View(prepared.Address, PreparedScales.Exponents)
                .View(prepared.Address + PreparedScales.HeaderBytes, ScaleCount(weight)).Int(rows).Int(rowBlocks).Int(stride));
        maxima.ReleaseMemory();
        maxima.Begin(shape, DataType.Float16, prepared);
        return maxima.Address;
    }

    /// <summary>What the memory behind prepared scales holds: 2^e and 2^-e, then the scales from the next sector on.</summary>
    private static class PreparedScales
    {
        public const int Exponents = 2, HeaderBytes = 32, HeaderElements = HeaderBytes / 2;

        public static nint Values(Tensor maxima) => maxima.Address + HeaderBytes;
    }
}
