using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels;
using PureSharpQLoRA.Cuda.Kernels.Attention;
using PureSharpQLoRA.Cuda.Kernels.Attention.General;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <summary>The sums of the general kernels, by their number of 32-column blocks less one.</summary>
    private static readonly Type[] GeneralSums =
        [.. Enumerable.Range(1, GeneralAttention.PartColumns / Block.Size).Select(count => Nesting.Of(typeof(Block), typeof(JoinedBlocks<,>), count))];

    private readonly TileList _tiles = new();
    private readonly AttentionKernels _attention;

    /// <inheritdoc/>
    public void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        const string Operation = "Attention";
        AttentionChecks.Forward(query, key, value, output, logSumExp, shape, starts, past);
        CheckTypes(query, key, value, output, Operation);
        if (logSumExp is not null)
        {
            ShapeException.ThrowIfNot(logSumExp, DataType.Float32, Operation, "logSumExp");
        }

        int tokens = starts[^1];
        if (tokens == 0)
        {
            return;
        }

        var sizes = AttentionSizes.Create(shape, tokens, past);
        bool isFast = _attention.Has(shape, query.DataType) && AreAligned(query, key, value, output);
        if (isFast && tokens == 1 && past > 0 && logSumExp is null && sizes.Group <= AttentionKernels.MaximumDecodeGroup)
        {
            Decode(query, key, value, output, sizes);
            return;
        }

        AttentionKernel kernel = isFast ? _attention.Forward(shape.HeadSize, query.DataType) : General(nameof(GeneralAttention.Forward), query, shape);
        int bytes = ViewBytes(query, isFast);
        nint tiles = UploadTiles(HostSpanKind.QueryTiles, starts, kernel.Rows);
        LaunchArguments arguments = _arguments.Begin().View(query, bytes).View(key, bytes).View(value, bytes).View(Write(output), output.Bytes / bytes);
        arguments = logSumExp is null ? arguments.NoView() : arguments.View(Write(logSumExp), logSumExp.Shape.Count);
        Launch(kernel.Key, TileGrid(shape.Heads, isFast, shape), arguments.View(tiles, _tiles.Values.Length).Struct(sizes));
    }

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        const string Operation = "AttentionBackward";
        AttentionChecks.Backward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, shape, starts);
        CheckTypes(query, key, value, output, Operation);
        CheckTypes(dOutput, dQuery, dKey, dValue, Operation);
        ShapeException.ThrowIfNot(dOutput, query.DataType, Operation, "dOutput");
        ShapeException.ThrowIfNot(logSumExp, DataType.Float32, Operation, "logSumExp");
        int tokens = starts[^1];
        if (tokens == 0)
        {
            return;
        }

        var sizes = AttentionSizes.Create(shape, tokens, past: 0);
        bool isFast = _attention.Has(shape, query.DataType) && AreAligned(query, key, value, output) && AreAligned(dOutput, dQuery, dKey, dValue);
        int bytes = ViewBytes(query, isFast), rows = tokens * shape.Heads;
        DeviceBuffer delta = Memory.Rent(sizeof(float) * (long)rows, MemoryPurpose.Workspace);
        LaunchArguments arguments = _arguments.Begin().View(output, bytes).View(dOutput, bytes).View(delta.Address, rows);
        if (isFast)
        {
            Launch(
                new KernelKey(typeof(AttentionDelta), nameof(AttentionDelta.Run), AttentionDelta.Threads, First: Vector(query)),
                GridSize.Covering(rows, AttentionDelta.Rows),
                arguments.Int(tokens).Int(shape.Heads).Int(shape.HeadSize / 8));
        }
        else
        {
            Launch(
                new KernelKey(typeof(GeneralAttention), nameof(GeneralAttention.Delta), GeneralAttention.DeltaThreads, First: Element(query)),
                GridSize.Covering(rows, GeneralAttention.DeltaRows),
                arguments.Struct(sizes));
        }

        AttentionKernel kernel = isFast
            ? _attention.BackwardQuery(shape.HeadSize, query.DataType)
            : General(nameof(GeneralAttention.BackwardQuery), query, shape);
        nint tiles = UploadTiles(HostSpanKind.QueryTiles, starts, kernel.Rows);
        Launch(
            kernel.Key,
            TileGrid(shape.Heads, isFast, shape),
            Operands().View(Write(dQuery), dQuery.Bytes / bytes).View(tiles, _tiles.Values.Length).Struct(sizes));

        kernel = isFast
            ? _attention.BackwardKeyValue(shape.HeadSize, query.DataType)
            : General(nameof(GeneralAttention.BackwardKeyValue), query, shape);
        tiles = UploadTiles(HostSpanKind.KeyTiles, starts, kernel.Rows);
        Launch(
            kernel.Key,
            TileGrid(shape.KeyValueHeads, isFast, shape),
            Operands().View(Write(dKey), dKey.Bytes / bytes).View(Write(dValue), dValue.Bytes / bytes).View(tiles, _tiles.Values.Length).Struct(sizes));
        delta.Release();

        LaunchArguments Operands() => _arguments.Begin().View(query, bytes).View(key, bytes).View(value, bytes).View(dOutput, bytes)
            .View(logSumExp, sizeof(float)).View(delta.Address, rows);
    }

    /// <summary>One query over a cache: the keys are split over about two blocks for each multiprocessor, and the splits put together.</summary>
    private void Decode(Tensor query, Tensor key, Tensor value, Tensor output, in AttentionSizes sizes)
    {
        AttentionKernel kernel = _attention.Decode(sizes.HeadSize, query.DataType);
        int oldest = Math.Max(0, sizes.Past + 1 - sizes.Window), tiles = sizes.Past / kernel.Rows - oldest / kernel.Rows + 1;
        int wanted = Math.Max(1, 2 * _device.Properties.Multiprocessors / sizes.KeyHeads), tilesPerBlock = (tiles + wanted - 1) / wanted;
        int blocks = (tiles + tilesPerBlock - 1) / tilesPerBlock, splits = blocks * (kernel.Rows / 16);
        long sums = (long)splits * sizes.Heads, means = sums * sizes.HeadSize;
        DeviceBuffer buffer = Memory.Rent(sizeof(float) * (means + sums), MemoryPurpose.Workspace);
        nint sumsAddress = buffer.Address + (nint)(sizeof(float) * means);
        Launch(
            kernel.Key,
            new GridSize(blocks, sizes.KeyHeads),
            _arguments.Begin().View(query, VectorBytes).View(key, VectorBytes).View(value, VectorBytes)
                .View(buffer.Address, means).View(sumsAddress, sums).Int(tilesPerBlock).Struct(sizes));
        Launch(
            new KernelKey(typeof(AttentionDecodeSum), nameof(AttentionDecodeSum.Run), AttentionDecodeSum.Threads, First: _attention.Core(query.DataType)),
            new GridSize(sizes.Heads),
            _arguments.Begin().View(buffer.Address, means / 2).View(sumsAddress, sums).View(Write(output), output.Shape.Count / 2)
                .Int(splits).Int(sizes.Heads).Int(sizes.HeadSize / 2));
        buffer.Release();
    }

    private static void CheckTypes(Tensor first, Tensor second, Tensor third, Tensor fourth, string operation)
    {
        ShapeException.ThrowIfNot(second, first.DataType, operation, "an operand");
        ShapeException.ThrowIfNot(third, first.DataType, operation, "an operand");
        ShapeException.ThrowIfNot(fourth, first.DataType, operation, "an operand");
    }

    private static bool AreAligned(Tensor first, Tensor second, Tensor third, Tensor fourth) =>
        (first.Address | second.Address | third.Address | fourth.Address) % VectorBytes == 0;

    /// <summary>Bytes of an element of the kernels' views.</summary>
    private static int ViewBytes(Tensor tensor, bool isFast) => isFast ? VectorBytes : (int)tensor.DataType.BytesFor(1);

    /// <summary>A kernel that takes any head size, element type and alignment.</summary>
    private static AttentionKernel General(string method, Tensor query, in AttentionShape shape)
    {
        int blocks = (Math.Min(shape.HeadSize, GeneralAttention.PartColumns) + Block.Size - 1) / Block.Size;
        var key = new KernelKey(typeof(GeneralAttention), method, Block.Threads, First: Element(query), Second: GeneralSums[blocks - 1]);
        return new AttentionKernel(key, Block.Size);
    }

    /// <summary>Cuts the documents into tiles of queries or keys, which <see cref="_tiles"/> then holds, and copies them to the device.</summary>
    private nint UploadTiles(HostSpanKind kind, ReadOnlySpan<int> starts, int rows)
    {
        _tiles.Cut(starts, rows, lastFirst: kind == HostSpanKind.QueryTiles);
        return _spans.Upload(kind, _tiles.Values);
    }

    private GridSize TileGrid(int heads, bool isFast, in AttentionShape shape) =>
        new(_tiles.Count, heads, isFast ? 1 : (shape.HeadSize + GeneralAttention.PartColumns - 1) / GeneralAttention.PartColumns);
}
