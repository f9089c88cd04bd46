using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>An operand of 16-bit elements in global memory, in chunks of eight; its rows are a whole number of chunks.</summary>
internal struct OperandSource
{
    public ArrayView<U4> Data;

    /// <summary>Chunks from row to row.</summary>
    public int Stride;

    /// <summary>Where the reduction ends, in elements.</summary>
    public int End;
}

/// <summary>What of an operand's tile a thread copies: one chunk a pass.</summary>
internal struct CopyPlace
{
    /// <summary>The line (or chunk of lines) of the first pass, the last that exists, and the step of the reduction, within a tile.</summary>
    public int Line, LastLine, Step;

    /// <summary>Byte offset in the operand's tile of shared memory.</summary>
    public uint Offset;
}

/// <summary>Where a lane reads fragments: byte offsets into the operand's tile of shared memory.</summary>
internal struct LanePlace
{
    /// <summary>For the first 16 steps of the tile, and the other 16 where those lie elsewhere.</summary>
    public uint First, Second;
}

/// <summary>How many lines (rows or columns of the result) a tile holds.</summary>
internal interface ILines
{
    static abstract int Count { get; }
}

/// <summary>128 lines.</summary>
internal struct Lines128 : ILines
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 128;
    }
}

/// <summary>64 lines.</summary>
internal struct Lines64 : ILines
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 64;
    }
}

/// <summary>32 lines.</summary>
internal struct Lines32 : ILines
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 32;
    }
}

/// <summary>
/// A tile of 32 steps of the reduction, as 128 threads bring it to shared memory and ldmatrix reads it. Chunks of 16 bytes are permuted within a row
/// of the tile, so that neither meets a bank conflict. Lines beyond the operand repeat its last; steps beyond its end are zero.
/// </summary>
internal interface ITensorOperand
{
    /// <summary>Lines of a tile.</summary>
    static abstract int Lines { get; }

    static abstract CopyPlace Copy(int thread, int firstLine, int lines);

    /// <summary>Where a pass of the tile that begins at a step lies in the source; <paramref name="exists"/> is -1, or 0 where it is beyond the end.</summary>
    static abstract int Index(OperandSource source, CopyPlace place, int firstStep, int pass, out int exists);

    /// <summary>For a left operand, whose fragments have 16 lines, or a right one, whose fragments have twice 8.</summary>
    static abstract LanePlace LeftLane(int lane, int firstLine);

    /// <inheritdoc cref="LeftLane"/>
    static abstract LanePlace RightLane(int lane, int firstLine);

    /// <summary>16 lines from 16 * tile on by 16 steps from 16 * half on.</summary>
    static abstract U4 Fragment(LanePlace place, uint tileAddress, int tile, int half);
}

/// <summary>[lines, reduction] in memory. In shared memory: rows of 64 bytes, chunk c of row r at c ^ (r / 2 % 4).</summary>
internal struct AlongTile<TLines> : ITensorOperand
    where TLines : struct, ILines
{
    public static int Lines
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLines.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CopyPlace Copy(int thread, int firstLine, int lines)
    {
        int row = thread >> 2, chunk = thread & 3;
        return new()
        {
            Line = Ptx.Pin(firstLine + row),
            LastLine = lines - 1,
            Step = Ptx.Pin(8 * chunk),
            Offset = Ptx.Pin(Offset(row, chunk)),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Index(OperandSource source, CopyPlace place, int firstStep, int pass, out int exists)
    {
        int step = firstStep + place.Step;
        exists = step - source.End >> 31;
        return IntrinsicMath.Min(place.Line + 32 * pass, place.LastLine) * source.Stride + (int)((uint)step >> 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanePlace LeftLane(int lane, int firstLine) => Lane(firstLine + (lane & 15), lane >> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanePlace RightLane(int lane, int firstLine) => Lane(firstLine + (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Fragment(LanePlace place, uint tileAddress, int tile, int half) => half == 0
        ? Ptx.LoadMatrices(tileAddress + place.First, 1024 * tile)
        : Ptx.LoadMatrices(tileAddress + place.Second, 1024 * tile);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LanePlace Lane(int row, int chunk)
    {
        uint offset = Offset(row, chunk);
        return new() { First = Ptx.Pin(offset), Second = Ptx.Pin(offset ^ 32) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Offset(int row, int chunk) => (uint)(row * 64 + ((chunk ^ row >> 1 & 3) << 4));
}

/// <summary>[reduction, lines] in memory. In shared memory: a row a step, chunk c of step k at c ^ (k % 8), or c ^ (k / 2 % 4) where rows have four.</summary>
internal struct AcrossTile<TLines> : ITensorOperand
    where TLines : struct, ILines
{
    public static int Lines
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLines.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CopyPlace Copy(int thread, int firstLine, int lines)
    {
        int step = thread / (TLines.Count / 8), chunk = thread % (TLines.Count / 8);
        int line = (firstLine >> 3) + chunk, last = (lines >> 3) - 1;
        return new()
        {
            Line = Ptx.Pin(IntrinsicMath.Min(line, last)),
            LastLine = last,
            Step = Ptx.Pin(step),
            Offset = Ptx.Pin(Offset(step, chunk)),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Index(OperandSource source, CopyPlace place, int firstStep, int pass, out int exists)
    {
        int step = firstStep + place.Step + pass * (1024 / TLines.Count);
        exists = step - source.End >> 31;
        return step * source.Stride + place.Line;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanePlace LeftLane(int lane, int firstLine) => Lane((lane & 7) + (lane >> 4) * 8, (firstLine >> 3) + (lane >> 3 & 1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanePlace RightLane(int lane, int firstLine) => Lane(lane & 15, (firstLine >> 3) + (lane >> 4));

    // The 16 steps behind are as many rows below; the lines beside differ in the permuted bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Fragment(LanePlace place, uint tileAddress, int tile, int half) =>
        Ptx.LoadMatricesTransposed(tileAddress + (place.First ^ 32 * (uint)tile), half * 32 * TLines.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LanePlace Lane(int step, int chunk) => new() { First = Ptx.Pin(Offset(step, chunk)), Second = 0 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Offset(int step, int chunk)
    {
        int permutation = TLines.Count == 32 ? step >> 1 & 3 : step & 7;
        return (uint)(step * (2 * TLines.Count) + ((chunk ^ permutation) << 4));
    }
}
