using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>Rotary position embedding in the half-split form, in place.</summary>
internal static class RotaryKernels
{
    public const int Threads = 256;

    /// <summary>
    /// Heads that a thread rotates one after the other, so that the fp32 tables, as large as a row of one head, are read once for all of them.
    /// </summary>
    public const int HeadsPerThread = 8;

    /// <summary>
    /// (a, b) := (a cos - b sin, b cos + a sin) for elements i and i + size / 2 of every head. A thread takes one pack of a token's first halves
    /// in up to eight heads, and the packs that go with it. Grid: ceil(tokens * headGroups * halfPacks / 256).
    /// </summary>
    /// <param name="x">[tokens, heads, size].</param>
    /// <param name="cosines">[positions, size / 2].</param>
    /// <param name="sines">[positions, size / 2].</param>
    /// <param name="positions">[tokens].</param>
    /// <param name="threads">tokens * headGroups * halfPacks.</param>
    /// <param name="heads">Heads of a token.</param>
    /// <param name="headGroups">ceil(heads / 8).</param>
    /// <param name="halfPacks">Packs of half a head.</param>
    /// <param name="direction">1, or -1 to rotate back.</param>
    public static void Rotate<TStorage, TPack>(
        ArrayView<TStorage> x, ArrayView<float> cosines, ArrayView<float> sines, ArrayView<int> positions,
        int threads, int heads, int headGroups, int halfPacks, float direction)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i >= threads)
        {
            return;
        }

        uint rest = (uint)i / (uint)halfPacks, token = rest / (uint)headGroups;
        int pack = i - (int)rest * halfPacks, head = ((int)rest - (int)token * headGroups) * HeadsPerThread;
        int end = head + HeadsPerThread < heads ? head + HeadsPerThread : heads;
        int angle = positions[(int)token] * halfPacks + pack;
        Eight cosine = TPack.LoadSingles(cosines, angle), sine = Eight.Scale(TPack.LoadSingles(sines, angle), direction);
        for (int at = ((int)token * heads + head) * 2 * halfPacks + pack; head < end; head++, at += 2 * halfPacks)
        {
            Eight a = TPack.Load(x, at), b = TPack.Load(x, at + halfPacks);
            TPack.Store(x, at, Eight.ScaleAdd(Eight.Multiply(b, sine), -1, Eight.Multiply(a, cosine)));
            TPack.Store(x, at + halfPacks, Eight.Add(Eight.Multiply(a, sine), Eight.Multiply(b, cosine)));
        }
    }
}
