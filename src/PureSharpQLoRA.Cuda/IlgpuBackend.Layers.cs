using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Layers;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse)
    {
        const string Operation = "Rotate";
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(cosines);
        CheckActivation(x, x.Shape, Operation, "x");
        ShapeException.ThrowIfColumnsNot(cosines, headSize / 2, Operation, "cosines");
        CheckSingles(cosines, cosines.Shape, Operation, "cosines");
        CheckSingles(sines, cosines.Shape, Operation, "sines");
        if (headSize % 2 != 0 || x.Shape.Columns % headSize != 0)
        {
            throw new ShapeException(Operation, "x", $"[..., a multiple of {headSize}], an even number", x.Shape.ToString());
        }

        if (positions.Length != x.Shape.Rows)
        {
            throw new ShapeException(Operation, "positions", $"of {x.Shape.Rows} tokens", $"{positions.Length}");
        }

        if (positions.IsEmpty)
        {
            return;
        }

        PackType packs = PackType.For(x.DataType, headSize / 2, x.Address | cosines.Address | sines.Address);
        int heads = x.Shape.Columns / headSize, halfPacks = headSize / 2 / packs.Elements;
        int headGroups = (heads + RotaryKernels.HeadsPerThread - 1) / RotaryKernels.HeadsPerThread;
        int threads = checked(x.Shape.Rows * headGroups * halfPacks);
        long elements = x.Shape.Count / packs.Elements;
        nint places = _spans.Upload(HostSpanKind.Positions, positions);
        LaunchArguments arguments = _arguments.Begin().View(Write(x), elements).View(cosines, sizeof(float)).View(sines, sizeof(float))
            .View(places, positions.Length).Int(threads).Int(heads).Int(headGroups).Int(halfPacks).Float(inverse ? -1 : 1);
        LaunchPacks(
            typeof(RotaryKernels), nameof(RotaryKernels.Rotate), packs, RotaryKernels.Threads, GridSize.Covering(threads, RotaryKernels.Threads), arguments);
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(gate);
        CheckActivation(gate, gate.Shape, "SwiGlu", "gate");
        CheckActivation(up, gate.Shape, "SwiGlu", "up");
        CheckActivation(y, gate.Shape, "SwiGlu", "y");
        FlatPacks packs = Flat(gate, gate.Address | up.Address | y.Address);
        LaunchFlat(
            typeof(SwiGluKernels), nameof(SwiGluKernels.Forward), packs,
            _arguments.Begin().View(gate.Address, packs.Count).View(up.Address, packs.Count).View(Write(y), packs.Count).Int(packs.Count));
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        const string Operation = "SwiGluBackward";
        ArgumentNullException.ThrowIfNull(gate);
        CheckActivation(gate, gate.Shape, Operation, "gate");
        CheckActivation(up, gate.Shape, Operation, "up");
        CheckActivation(dy, gate.Shape, Operation, "dy");
        CheckActivation(dGate, gate.Shape, Operation, "dGate");
        CheckActivation(dUp, gate.Shape, Operation, "dUp");
        FlatPacks packs = Flat(gate, gate.Address | up.Address | dy.Address | dGate.Address | dUp.Address);
        LaunchArguments arguments = _arguments.Begin().View(gate.Address, packs.Count).View(up.Address, packs.Count).View(dy.Address, packs.Count)
            .View(Write(dGate), packs.Count).View(Write(dUp), packs.Count).Int(packs.Count);
        LaunchFlat(typeof(SwiGluKernels), nameof(SwiGluKernels.Backward), packs, arguments);
    }

    /// <inheritdoc/>
    public void Gather(Tensor table, Tensor ids, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(ids);
        ShapeException.ThrowIfNot(ids, DataType.Int32, "Gather", "ids");
        int tokens = checked((int)ids.Shape.Count), width = table.Shape.Columns;
        CheckActivation(y, new Shape(tokens, width), "Gather", "y");
        if (!IsFloating(table))
        {
            throw new ShapeException("Gather", "the table", "fp32, fp16 or bf16", table.DataType.ToString());
        }

        if (y.Shape.Count == 0)
        {
            return;
        }

        nint addresses = table.Address | y.Address;
        PackType from = PackType.For(table.DataType, width, addresses), to = PackType.For(y.DataType, width, addresses);
        if (from.Elements != to.Elements)
        {
            (from, to) = (PackType.ElementOf(table.DataType), PackType.ElementOf(y.DataType));
        }

        int rowPacks = width / to.Elements;
        Launch(
            new KernelKey(
                typeof(EmbeddingKernels), nameof(EmbeddingKernels.Gather), RowThreads(rowPacks),
                First: from.Storage, Second: from.Pack, Third: to.Storage, Fourth: to.Pack),
            new GridSize(tokens),
            _arguments.Begin().View(table.Address, table.Shape.Count / from.Elements).View(ids, sizeof(int)).View(Write(y), y.Shape.Count / to.Elements)
                .Int(table.Shape.Rows).Int(rowPacks));
    }

    /// <inheritdoc/>
    public void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(dTable);
        ShapeException.ThrowIfNot(ids, DataType.Int32, "ScatterAdd", "ids");
        int tokens = checked((int)ids.Shape.Count), width = dTable.Shape.Columns;
        CheckActivation(dy, new Shape(tokens, width), "ScatterAdd", "dy");
        CheckSingles(dTable, dTable.Shape, "ScatterAdd", "dTable");
        PackType packs = PackType.For(dy.DataType, width, dy.Address | dTable.Address);
        int rowPacks = width / packs.Elements;
        LaunchArguments arguments = _arguments.Begin().View(dy.Address, dy.Shape.Count / packs.Elements).View(ids, sizeof(int))
            .View(Write(dTable), dTable.Shape.Count).Int(tokens).Int(dTable.Shape.Rows).Int(rowPacks);
        var grid = new GridSize(GridSize.Covering(rowPacks, EmbeddingKernels.ScatterThreads).X, EmbeddingKernels.Shares);
        LaunchPacks(typeof(EmbeddingKernels), nameof(EmbeddingKernels.ScatterAdd), packs, EmbeddingKernels.ScatterThreads, grid, arguments);
    }
}
