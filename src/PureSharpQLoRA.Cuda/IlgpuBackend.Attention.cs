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
        nint tiles = UploadTiles(HostSpanKind.QueryTiles, starts, Block.Size);
        int bytes = (int)query.DataType.BytesFor(1);
        LaunchArguments arguments = _arguments.Begin().View(query, bytes).View(key, bytes).View(value, bytes).View(Write(output), output.Shape.Count);
        arguments = logSumExp is null ? arguments.NoView() : arguments.View(Write(logSumExp), logSumExp.Shape.Count);
        LaunchGeneral(nameof(GeneralAttention.Forward), query, shape.Heads, shape, arguments.View(tiles, _tiles.Values.Length).Struct(sizes));
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
        int bytes = (int)query.DataType.BytesFor(1), rows = tokens * shape.Heads;
        DeviceBuffer delta = Memory.Rent(sizeof(float) * (long)rows, MemoryPurpose.Workspace);
        Launch(
            new KernelKey(typeof(GeneralAttention), nameof(GeneralAttention.Delta), GeneralAttention.DeltaThreads, First: Element(query)),
            GridSize.Covering(rows, GeneralAttention.DeltaRows),
            _arguments.Begin().View(output, bytes).View(dOutput, bytes).View(delta.Address, rows).Struct(sizes));

        nint tiles = UploadTiles(HostSpanKind.QueryTiles, starts, Block.Size);
        LaunchGeneral(
            nameof(GeneralAttention.BackwardQuery), query, shape.Heads, shape,
            Operands().View(Write(dQuery), dQuery.Shape.Count).View(tiles, _tiles.Values.Length).Struct(sizes));
        tiles = UploadTiles(HostSpanKind.KeyTiles, starts, Block.Size);
        LaunchGeneral(
            nameof(GeneralAttention.BackwardKeyValue), query, shape.KeyValueHeads, shape,
            Operands().View(Write(dKey), dKey.Shape.Count).View(Write(dValue), dValue.Shape.Count).View(tiles, _tiles.Values.Length).Struct(sizes));
        delta.Release();

        LaunchArguments Operands() => _arguments.Begin().View(query, bytes).View(key, bytes).View(value, bytes).View(dOutput, bytes)
            .View(logSumExp, sizeof(float)).View(delta.Address, rows);
    }

    private static void CheckTypes(Tensor first, Tensor second, Tensor third, Tensor fourth, string operation)
    {
        ShapeException.ThrowIfNot(second, first.DataType, operation, "an operand");
        ShapeException.ThrowIfNot(third, first.DataType, operation, "an operand");
        ShapeException.ThrowIfNot(fourth, first.DataType, operation, "an operand");
    }

    /// <summary>Cuts the documents into tiles of queries or keys, which <see cref="_tiles"/> then holds, and copies them to the device.</summary>
    private nint UploadTiles(HostSpanKind kind, ReadOnlySpan<int> starts, int rows)
    {
        _tiles.Cut(starts, rows, lastFirst: kind == HostSpanKind.QueryTiles);
        return _spans.Upload(kind, _tiles.Values);
    }

    private void LaunchGeneral(string method, Tensor query, int heads, in AttentionShape shape, LaunchArguments arguments)
    {
        int parts = (shape.HeadSize + GeneralAttention.PartColumns - 1) / GeneralAttention.PartColumns;
        int blocks = (Math.Min(shape.HeadSize, GeneralAttention.PartColumns) + Block.Size - 1) / Block.Size;
        Launch(
            new KernelKey(typeof(GeneralAttention), method, Block.Threads, First: Element(query), Second: GeneralSums[blocks - 1]),
            new GridSize(_tiles.Count, heads, parts),
            arguments);
    }
}
