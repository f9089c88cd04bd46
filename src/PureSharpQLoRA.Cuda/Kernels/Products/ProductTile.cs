using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>Which part of an operand a tile takes: 32 lines (rows or columns of the result) by 16 steps of the reduction.</summary>
internal struct TileRange
{
    /// <summary>The first line, and how many the operand has.</summary>
    public int FirstLine, Lines;

    /// <summary>The first step, where the reduction ends, and the whole operand's length of it.</summary>
    public int First, End, Length;

    /// <summary>Whether line c of the tile is stored at 4 (c % 8) + c / 8, so that a lane's four columns lie together and neighbouring lanes have neighbouring columns.</summary>
    public bool Interleaved;
}

/// <summary>
/// Brings a tile of an operand into shared memory as fp32, step by step of the reduction, 36 floats from one to the next. 64 threads take 8 elements each
/// along the direction in which the operand is stored. Lines beyond the operand repeat its last one; steps beyond the end are zero.
/// </summary>
internal interface IOperandLayout
{
    static abstract void Fill<TReader, TStorage>(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint tile, TileRange range)
        where TReader : struct, IMatrixReader<TStorage>
        where TStorage : unmanaged;
}

/// <summary>[lines, length]: the reduction runs along rows.</summary>
internal struct AlongReduction : IOperandLayout
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fill<TReader, TStorage>(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint tile, TileRange range)
        where TReader : struct, IMatrixReader<TStorage>
        where TStorage : unmanaged
    {
        int step = Group.IdxX & 15, place = Group.IdxX >> 4;
        int line = range.Interleaved ? 8 * place : place, stride = range.Interleaved ? 1 : 4;
        int column = range.First + step;
        bool exists = column < range.End;
        uint length = (uint)range.Length, within = (uint)(exists ? column : range.End - 1);
        uint last = (uint)(range.Lines - 1) * length + within;
        uint index = (uint)(range.FirstLine + line) * length + within, next = (uint)stride * length;
        uint target = tile + ProductTile.StepBytes * (uint)step + 4 * (uint)place;
        Put<TReader, TStorage>(data, maxima, levels, target, index, last, exists, 0);
        Put<TReader, TStorage>(data, maxima, levels, target, index + next, last, exists, 16);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 2 * next, last, exists, 32);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 3 * next, last, exists, 48);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 4 * next, last, exists, 64);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 5 * next, last, exists, 80);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 6 * next, last, exists, 96);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 7 * next, last, exists, 112);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TReader, TStorage>(
        ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint target, uint index, uint last, bool exists, int bytes)
        where TReader : struct, IMatrixReader<TStorage>
        where TStorage : unmanaged
    {
        float value = TReader.Read(data, maxima, levels, IntrinsicMath.Min(index, last));
        Ptx.StoreSharedSingle(target, exists ? value : 0f, bytes);
    }
}

/// <summary>[length, lines]: the reduction runs from row to row.</summary>
internal struct AcrossReduction : IOperandLayout
{
    private const int TwoSteps = 2 * (int)ProductTile.StepBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fill<TReader, TStorage>(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint tile, TileRange range)
        where TReader : struct, IMatrixReader<TStorage>
        where TStorage : unmanaged
    {
        int line = Group.IdxX & 31, step = Group.IdxX >> 5;
        int place = range.Interleaved ? (line & 7) * 4 + (line >> 3) : line;
        uint lines = (uint)range.Lines, within = (uint)IntrinsicMath.Min(range.FirstLine + line, range.Lines - 1);
        uint last = (uint)(range.End - 1) * lines + within;
        uint index = (uint)(range.First + step) * lines + within, next = 2 * lines;
        uint target = tile + ProductTile.StepBytes * (uint)step + 4 * (uint)place;
        Put<TReader, TStorage>(data, maxima, levels, target, index, last, 0);
        Put<TReader, TStorage>(data, maxima, levels, target, index + next, last, TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 2 * next, last, 2 * TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 3 * next, last, 3 * TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 4 * next, last, 4 * TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 5 * next, last, 5 * TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 6 * next, last, 6 * TwoSteps);
        Put<TReader, TStorage>(data, maxima, levels, target, index + 7 * next, last, 7 * TwoSteps);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TReader, TStorage>(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint target, uint index, uint last, int bytes)
        where TReader : struct, IMatrixReader<TStorage>
        where TStorage : unmanaged
    {
        float value = TReader.Read(data, maxima, levels, IntrinsicMath.Min(index, last));
        Ptx.StoreSharedSingle(target, index <= last ? value : 0f, bytes);
    }
}

/// <summary>A thread's 4x4 block of the result, a row each.</summary>
internal struct ProductTile
{
    /// <summary>Lines and steps of a tile.</summary>
    public const int Lines = 32, Steps = 16;

    /// <summary>From one step of a tile to the next: 36 floats, so that 16-byte loads stay aligned and stores along the reduction meet few conflicts.</summary>
    public const uint StepBytes = 144;

    /// <summary>16-byte chunks of a tile.</summary>
    public const int Chunks = Steps * (int)StepBytes / 16;

    public F4 R0, R1, R2, R3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProductTile Scale(ProductTile c, float scale) => new()
    {
        R0 = Scale(c.R0, scale),
        R1 = Scale(c.R1, scale),
        R2 = Scale(c.R2, scale),
        R3 = Scale(c.R3, scale),
    };

    /// <summary>Four steps of the reduction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ProductTile MultiplyAdd(ProductTile c, uint left, uint right)
    {
        c = Step(c, Ptx.LoadSharedFour(left, 0), Ptx.LoadSharedFour(right, 0));
        c = Step(c, Ptx.LoadSharedFour(left, 144), Ptx.LoadSharedFour(right, 144));
        c = Step(c, Ptx.LoadSharedFour(left, 288), Ptx.LoadSharedFour(right, 288));
        return Step(c, Ptx.LoadSharedFour(left, 432), Ptx.LoadSharedFour(right, 432));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ProductTile Step(ProductTile c, F4 a, F4 b) => new()
    {
        R0 = Row(c.R0, a.X, b),
        R1 = Row(c.R1, a.Y, b),
        R2 = Row(c.R2, a.Z, b),
        R3 = Row(c.R3, a.W, b),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Row(F4 c, float a, F4 b) => new()
    {
        X = Ptx.MultiplyAdd(a, b.X, c.X),
        Y = Ptx.MultiplyAdd(a, b.Y, c.Y),
        Z = Ptx.MultiplyAdd(a, b.Z, c.Z),
        W = Ptx.MultiplyAdd(a, b.W, c.W),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Scale(F4 v, float s) => new() { X = v.X * s, Y = v.Y * s, Z = v.Z * s, W = v.W * s };
}
