using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>Arithmetic on a thread's 4x4 part of a block; an <see cref="F4"/> holds one value for each of its rows, or of its columns.</summary>
internal static class BlockOperations
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 All(float value) => new() { X = value, Y = value, Z = value, W = value };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Multiply(F4 a, F4 b) => new() { X = a.X * b.X, Y = a.Y * b.Y, Z = a.Z * b.Z, W = a.W * b.W };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Max(F4 a, F4 b) => new() { X = Ptx.Max(a.X, b.X), Y = Ptx.Max(a.Y, b.Y), Z = Ptx.Max(a.Z, b.Z), W = Ptx.Max(a.W, b.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Add(F4 a, F4 b) => new() { X = a.X + b.X, Y = a.Y + b.Y, Z = a.Z + b.Z, W = a.W + b.W };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Exp2OfDifference(F4 a, F4 b) =>
        new() { X = Ptx.Exp2(a.X - b.X), Y = Ptx.Exp2(a.Y - b.Y), Z = Ptx.Exp2(a.Z - b.Z), W = Ptx.Exp2(a.W - b.W) };

    /// <summary>
    /// Scales products of queries (rows) and keys (columns) to logits and hides the keys that a query does not see.
    /// </summary>
    /// <param name="products">The products.</param>
    /// <param name="scale">Their factor.</param>
    /// <param name="distance">Position of the first row's query minus that of the first column's key.</param>
    /// <param name="window">Keys a query sees, itself included.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Logits(Block products, float scale, int distance, int window) => new()
    {
        R0 = Logits(products.R0, scale, distance, -1, window),
        R1 = Logits(products.R1, scale, distance + 1, -1, window),
        R2 = Logits(products.R2, scale, distance + 2, -1, window),
        R3 = Logits(products.R3, scale, distance + 3, -1, window),
    };

    /// <summary>As <see cref="Logits(Block, float, int, int)"/> with keys in rows and queries in columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block LogitsOfKeys(Block products, float scale, int distance, int window) => new()
    {
        R0 = Logits(products.R0, scale, distance, 1, window),
        R1 = Logits(products.R1, scale, distance - 1, 1, window),
        R2 = Logits(products.R2, scale, distance - 2, 1, window),
        R3 = Logits(products.R3, scale, distance - 3, 1, window),
    };

    /// <summary>2^(x - offset of the row).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Exp2Rows(Block a, F4 offsets) => new()
    {
        R0 = Exp2OfDifference(a.R0, All(offsets.X)),
        R1 = Exp2OfDifference(a.R1, All(offsets.Y)),
        R2 = Exp2OfDifference(a.R2, All(offsets.Z)),
        R3 = Exp2OfDifference(a.R3, All(offsets.W)),
    };

    /// <summary>2^(x - offset of the column).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Exp2Columns(Block a, F4 offsets) => new()
    {
        R0 = Exp2OfDifference(a.R0, offsets),
        R1 = Exp2OfDifference(a.R1, offsets),
        R2 = Exp2OfDifference(a.R2, offsets),
        R3 = Exp2OfDifference(a.R3, offsets),
    };

    /// <summary>p (dp - delta of the row).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block GradientRows(Block p, Block dp, F4 deltas) => new()
    {
        R0 = Gradient(p.R0, dp.R0, All(deltas.X)),
        R1 = Gradient(p.R1, dp.R1, All(deltas.Y)),
        R2 = Gradient(p.R2, dp.R2, All(deltas.Z)),
        R3 = Gradient(p.R3, dp.R3, All(deltas.W)),
    };

    /// <summary>p (dp - delta of the column).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block GradientColumns(Block p, Block dp, F4 deltas) => new()
    {
        R0 = Gradient(p.R0, dp.R0, deltas),
        R1 = Gradient(p.R1, dp.R1, deltas),
        R2 = Gradient(p.R2, dp.R2, deltas),
        R3 = Gradient(p.R3, dp.R3, deltas),
    };

    /// <summary>The largest value of each row in the thread's part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 RowMaximum(Block a) => new() { X = Maximum(a.R0), Y = Maximum(a.R1), Z = Maximum(a.R2), W = Maximum(a.R3) };

    /// <summary>The sum of each row in the thread's part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 RowSum(Block a) => new() { X = Sum(a.R0), Y = Sum(a.R1), Z = Sum(a.R2), W = Sum(a.R3) };

    /// <summary>The maximum over the eight threads that share the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MaximumOverThreads(F4 a)
    {
        F4 two = Max(a, ShuffleXor(a, 1)), four = Max(two, ShuffleXor(two, 2));
        return Max(four, ShuffleXor(four, 4));
    }

    /// <summary>The sum over the eight threads that share the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 SumOverThreads(F4 a)
    {
        F4 two = Add(a, ShuffleXor(a, 1)), four = Add(two, ShuffleXor(two, 2));
        return Add(four, ShuffleXor(four, 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Logits(F4 a, float scale, int distance, int step, int window)
    {
        // A negative distance is a large unsigned one.
        bool x = (uint)distance < (uint)window, y = (uint)(distance + step) < (uint)window;
        bool z = (uint)(distance + 2 * step) < (uint)window, w = (uint)(distance + 3 * step) < (uint)window;
        return new()
        {
            X = x ? a.X * scale : float.NegativeInfinity,
            Y = y ? a.Y * scale : float.NegativeInfinity,
            Z = z ? a.Z * scale : float.NegativeInfinity,
            W = w ? a.W * scale : float.NegativeInfinity,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Gradient(F4 p, F4 dp, F4 delta) =>
        new() { X = p.X * (dp.X - delta.X), Y = p.Y * (dp.Y - delta.Y), Z = p.Z * (dp.Z - delta.Z), W = p.W * (dp.W - delta.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 ShuffleXor(F4 a, int mask) => new()
    {
        X = Ptx.ShuffleXor(a.X, mask),
        Y = Ptx.ShuffleXor(a.Y, mask),
        Z = Ptx.ShuffleXor(a.Z, mask),
        W = Ptx.ShuffleXor(a.W, mask),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Maximum(F4 a) => Ptx.Max(Ptx.Max(a.X, a.Y), Ptx.Max(a.Z, a.W));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(F4 a) => a.X + a.Y + (a.Z + a.W);
}
