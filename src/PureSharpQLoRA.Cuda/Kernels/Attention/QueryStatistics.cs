using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// What the gradients of keys and values need of each query of a tile: its log-sum-exp in units of log2(e) and its delta. A query past the end of the
/// document has an infinite offset, so that its weights are 0.
/// </summary>
internal interface IQueryStatistics<TSelf>
    where TSelf : struct, IQueryStatistics<TSelf>
{
    /// <summary>16-byte chunks of shared memory for a number of queries.</summary>
    static abstract int SharedChunks(int queries);

    static abstract TSelf Create(QueryValues values, uint shared, int queries);

    /// <summary>Starts to load a tile's values. All threads of the block must call it.</summary>
    static abstract TSelf Begin(TSelf s, int row, int query);

    /// <summary>Makes them visible after the next barrier.</summary>
    static abstract void End(TSelf s);

    /// <summary>The offsets of two neighbouring queries.</summary>
    /// <param name="s">The values.</param>
    /// <param name="column">Place in the tile of the first query of lane 0; lanes have two each, and so on every four.</param>
    static abstract F2 Offsets(TSelf s, int column);

    /// <summary>The deltas, as <see cref="Offsets"/>.</summary>
    static abstract F2 Deltas(TSelf s, int column);
}

/// <summary>Where the values come from.</summary>
internal struct QueryValues
{
    /// <summary>From the forward pass, and from <see cref="AttentionDelta"/> [heads, tokens].</summary>
    public ArrayView<float> LogSumExp, Delta;

    /// <summary>Queries of the document.</summary>
    public int Length;
}

/// <summary>Values that come through shared memory, one query a thread.</summary>
internal struct SharedStatistics : IQueryStatistics<SharedStatistics>
{
    private QueryValues _values;
    private float _offset;
    private float _delta;

    /// <summary>Shared address of the first offset, and of the lane's first offset and delta; offsets come first.</summary>
    private uint _place;
    private uint _laneOffsets;
    private uint _laneDeltas;
    private int _queries;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SharedChunks(int queries) => queries / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SharedStatistics Create(QueryValues values, uint shared, int queries)
    {
        uint laneOffsets = Ptx.Pin(shared + ((uint)Group.IdxX & 3) * 8);
        return new()
        {
            _values = values,
            _place = shared,
            _queries = queries,
            _laneOffsets = laneOffsets,
            _laneDeltas = Ptx.Pin(laneOffsets + (uint)queries * 4),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SharedStatistics Begin(SharedStatistics s, int row, int query)
    {
        s._offset = float.PositiveInfinity;
        s._delta = 0;
        int thread = Group.IdxX;
        if (thread < s._queries & query + thread < s._values.Length)
        {
            s._offset = s._values.LogSumExp[row + query + thread] * AttentionSizes.Log2E;
            s._delta = s._values.Delta[row + query + thread];
        }

        return s;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End(SharedStatistics s)
    {
        if (Group.IdxX < s._queries)
        {
            Ptx.StoreShared(s._place + (uint)Group.IdxX * 4, s._offset);
            Ptx.StoreShared(s._place + (uint)(s._queries + Group.IdxX) * 4, s._delta);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Offsets(SharedStatistics s, int column) => Ptx.LoadShared8(s._laneOffsets + (uint)column * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Deltas(SharedStatistics s, int column) => Ptx.LoadShared8(s._laneDeltas + (uint)column * 4);
}

/// <summary>Values that every lane reads from global memory itself, for tiles that fill shared memory.</summary>
internal struct GlobalStatistics : IQueryStatistics<GlobalStatistics>
{
    private QueryValues _values;

    /// <summary>Index of the head's value for the document's first token, and the lane's first query.</summary>
    private int _row;
    private int _query;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SharedChunks(int queries) => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GlobalStatistics Create(QueryValues values, uint shared, int queries) => new() { _values = values };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GlobalStatistics Begin(GlobalStatistics s, int row, int query)
    {
        s._row = row;
        s._query = query + (Group.IdxX & 3) * 2;
        return s;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End(GlobalStatistics s)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Offsets(GlobalStatistics s, int column) => new() { X = Offset(s, s._query + column), Y = Offset(s, s._query + column + 1) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Deltas(GlobalStatistics s, int column) => new() { X = Delta(s, s._query + column), Y = Delta(s, s._query + column + 1) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Offset(GlobalStatistics s, int query)
    {
        float offset = s._values.LogSumExp[s._row + Math.Min(query, s._values.Length - 1)] * AttentionSizes.Log2E;
        return query < s._values.Length ? offset : float.PositiveInfinity;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Delta(GlobalStatistics s, int query) => s._values.Delta[s._row + Math.Min(query, s._values.Length - 1)];
}
