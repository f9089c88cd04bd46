using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>Loads and stores of the last, incomplete vector of a row: nothing outside the row is read or written.</summary>
internal static unsafe class VectorParts
{
    public const int Lanes = 16;

    /// <summary>Up to 16 elements, the missing ones 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* from, int count) => count >= Lanes ? Vector512.Load(from) : LoadPart(from, count, 0);

    /// <summary>Up to 16 elements, the missing ones <paramref name="padding"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* from, int count, float padding) =>
        count >= Lanes ? Vector512.Load(from) : LoadPart(from, count, padding);

    /// <summary>Stores up to 16 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> values, float* to, int count)
    {
        if (count >= Lanes)
        {
            values.Store(to);
        }
        else
        {
            StorePart(values, to, count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<float> LoadPart(float* from, int count, float padding)
    {
        float* part = stackalloc float[Lanes];
        for (int i = 0; i < Lanes; i++)
        {
            part[i] = i < count ? from[i] : padding;
        }

        return Vector512.Load(part);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePart(Vector512<float> values, float* to, int count)
    {
        float* part = stackalloc float[Lanes];
        values.Store(part);
        for (int i = 0; i < count; i++)
        {
            to[i] = part[i];
        }
    }
}
