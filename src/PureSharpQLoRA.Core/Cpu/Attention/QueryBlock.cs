namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>Up to 32 consecutive queries of a document and head, one per lane, and the keys that they see.</summary>
internal readonly struct QueryBlock
{
    /// <summary>Queries per block: the lanes of two 512-bit vectors.</summary>
    public const int Lanes = 32;

    private const int Half = Lanes / 2;

    public QueryBlock(int first, int length, int past, int window)
    {
        First = first;
        Valid = Math.Min(Lanes, length - first);
        Position = past + first;
        Window = window;
        FirstKey = window == 0 ? 0 : Math.Max(0, Position - window + 1) / Half * Half;
    }

    /// <summary>The first query, counted in its document.</summary>
    public int First { get; }

    /// <summary>How many lanes hold queries.</summary>
    public int Valid { get; }

    /// <summary>The last key that the first query sees.</summary>
    public int Position { get; }

    /// <summary>How many keys a query sees, or 0 for all before it.</summary>
    public int Window { get; }

    /// <summary>The first key that a query sees, rounded down to 16.</summary>
    public int FirstKey { get; }

    /// <summary>Behind the last key that a query sees.</summary>
    public int EndKey => Position + Valid;

    /// <summary>How many of the keys [<paramref name="first"/>, first + count) need all lanes; those behind concern only the upper 16. Whole tiles.</summary>
    public int FullRows(int first, int count) =>
        Math.Min(Packing.RoundUp(count, Half), Math.Max(0, Packing.RoundUp(Position + Half - first, Half)));

    /// <summary>How many rows of scores the keys fill, whole tiles.</summary>
    public static int Rows(int full, int count) => count <= full ? full : full + Packing.RoundUp(count - full, Half);
}
