using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>
/// AdamW whose moments are 8-bit codes of a dynamic map with one fp32 maximum per block of 256 (Dettmers et al. 2021, arXiv:2110.02861).
/// A warp owns a block: it decodes, updates, finds the new maxima, and encodes each moment by the value of the map that is nearest. Reads 10 bytes
/// and writes 6 for each parameter. The lookups in shared memory conflict as the data decides. Nothing changes where the control says that a
/// gradient is not finite.
/// </summary>
internal static class AdamW8BitKernels
{
    public const int BlockSize = EightBitMoments.BlockSize, Threads = 256, BlocksPerGroup = Threads / 32, MapValues = 256;

    /// <summary>Whole blocks, all tensors at multiples of 16 bytes; a lane has quads lane and lane + 32 of its block. Grid: ceil(blocks / 8).</summary>
    /// <param name="parameters">fp32 [256 * blocks] in quads, as are the gradients.</param>
    /// <param name="gradients">Multiplied by the control's factor.</param>
    /// <param name="first">Codes of the first moment [256 * blocks], four in a word.</param>
    /// <param name="firstMaxima">Largest magnitude of each block [blocks].</param>
    /// <param name="second">Codes of the second moment.</param>
    /// <param name="secondMaxima">Its maxima.</param>
    /// <param name="maps">Values of the signed map, then of the unsigned map, both ascending [512].</param>
    /// <param name="control">What <see cref="GradientNormKernels.Finish"/> wrote.</param>
    /// <param name="blocks">Blocks of 256.</param>
    /// <param name="settings">The step.</param>
    public static void Quads(
        ArrayView<F4> parameters, ArrayView<F4> gradients, ArrayView<uint> first, ArrayView<float> firstMaxima, ArrayView<uint> second,
        ArrayView<float> secondMaxima, ArrayView<float> maps, ArrayView<float> control, int blocks, AdamSettings settings)
    {
        ArrayView<float> map = SharedMemory.Allocate<float>(2 * MapValues);
        map[Group.IdxX] = maps[Group.IdxX];
        map[Group.IdxX + MapValues] = maps[Group.IdxX + MapValues];
        Group.Barrier();
        int lane = Group.IdxX & 31, block = Grid.IdxX * BlocksPerGroup + (Group.IdxX >> 5);
        if (block >= blocks || control[GradientNormKernels.IsFinite] == 0)
        {
            return;
        }

        float factor = control[GradientNormKernels.Factor], max1 = firstMaxima[block], max2 = secondMaxima[block];
        int low = block * (BlockSize / 4) + lane, high = low + 32;
        AdamStates a = new() { Parameters = parameters[low], First = Decode(map, 0, first[low], max1), Second = Decode(map, MapValues, second[low], max2) };
        AdamStates b = new() { Parameters = parameters[high], First = Decode(map, 0, first[high], max1), Second = Decode(map, MapValues, second[high], max2) };
        a = AdamStates.Update(a, gradients[low], factor, settings);
        b = AdamStates.Update(b, gradients[high], factor, settings);
        parameters[low] = a.Parameters;
        parameters[high] = b.Parameters;

        float new1 = BlockReduction.WarpMax(Ptx.Max(Magnitude(a.First), Magnitude(b.First)));
        float new2 = BlockReduction.WarpMax(Ptx.Max(Magnitude(a.Second), Magnitude(b.Second)));
        float inverse1 = Inverse(new1), inverse2 = Inverse(new2);
        first[low] = Encode(map, 0, a.First, inverse1);
        first[high] = Encode(map, 0, b.First, inverse1);
        second[low] = Encode(map, MapValues, a.Second, inverse2);
        second[high] = Encode(map, MapValues, b.Second, inverse2);
        if (lane == 0)
        {
            firstMaxima[block] = new1;
            secondMaxima[block] = new2;
        }
    }

    /// <summary>As <see cref="Quads"/> at any address, the last block perhaps not full; a lane has elements lane, lane + 32, ... of its block.</summary>
    public static void Elements(
        ArrayView<float> parameters, ArrayView<float> gradients, ArrayView<byte> first, ArrayView<float> firstMaxima, ArrayView<byte> second,
        ArrayView<float> secondMaxima, ArrayView<float> maps, ArrayView<float> control, int count, AdamSettings settings)
    {
        ArrayView<float> map = SharedMemory.Allocate<float>(2 * MapValues);
        map[Group.IdxX] = maps[Group.IdxX];
        map[Group.IdxX + MapValues] = maps[Group.IdxX + MapValues];
        Group.Barrier();
        int lane = Group.IdxX & 31, block = Grid.IdxX * BlocksPerGroup + (Group.IdxX >> 5), start = block * BlockSize;
        if (start >= count || control[GradientNormKernels.IsFinite] == 0)
        {
            return;
        }

        float factor = control[GradientNormKernels.Factor], max1 = firstMaxima[block], max2 = secondMaxima[block];
        int end = IntrinsicMath.Min(count, start + BlockSize);
        float new1 = 0, new2 = 0;
        for (int i = start + lane; i < end; i += 32)
        {
            AdamState state = Update(map, parameters[i], gradients[i] * factor, first[i], second[i], max1, max2, settings);
            new1 = Ptx.Max(new1, IntrinsicMath.Abs(state.First));
            new2 = Ptx.Max(new2, state.Second);
        }

        new1 = BlockReduction.WarpMax(new1);
        new2 = BlockReduction.WarpMax(new2);
        float inverse1 = Inverse(new1), inverse2 = Inverse(new2);

        // Worked out again rather than held: eight elements a lane in a loop would lie in local memory.
        for (int i = start + lane; i < end; i += 32)
        {
            AdamState state = Update(map, parameters[i], gradients[i] * factor, first[i], second[i], max1, max2, settings);
            parameters[i] = state.Parameter;
            first[i] = (byte)Nearest(map, 0, state.First * inverse1);
            second[i] = (byte)Nearest(map, MapValues, state.Second * inverse2);
        }

        if (lane == 0)
        {
            firstMaxima[block] = new1;
            secondMaxima[block] = new2;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static AdamState Update(ArrayView<float> map, float parameter, float gradient, byte code1, byte code2, float max1, float max2, AdamSettings settings) =>
        AdamState.Update(new() { Parameter = parameter, First = map[(int)code1] * max1, Second = map[MapValues + (int)code2] * max2 }, gradient, settings);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Decode(ArrayView<float> map, int start, uint codes, float maximum) => new()
    {
        X = map[start + (int)(codes & 255)] * maximum,
        Y = map[start + (int)(codes >> 8 & 255)] * maximum,
        Z = map[start + (int)(codes >> 16 & 255)] * maximum,
        W = map[start + (int)(codes >> 24)] * maximum,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Magnitude(F4 v) =>
        Ptx.Max(Ptx.Max(IntrinsicMath.Abs(v.X), IntrinsicMath.Abs(v.Y)), Ptx.Max(IntrinsicMath.Abs(v.Z), IntrinsicMath.Abs(v.W)));

    /// <summary>1 / maximum, or 0 for a block of zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Inverse(float maximum)
    {
        float inverse = Ptx.Divide(1, Ptx.Max(maximum, SmallestNormal));
        return maximum > 0 ? inverse : 0f;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Encode(ArrayView<float> map, int start, F4 v, float inverse) =>
        Nearest(map, start, v.X * inverse) | Nearest(map, start, v.Y * inverse) << 8
        | Nearest(map, start, v.Z * inverse) << 16 | Nearest(map, start, v.W * inverse) << 24;

    /// <summary>The code whose value is nearest; ties go to the lower one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Nearest(ArrayView<float> map, int start, float x)
    {
        // The last value that is not above x, or the first one.
        int below = start;
        for (int step = MapValues / 2; step > 0; step >>= 1)
        {
            if (map[below + step] <= x)
            {
                below += step;
            }
        }

        int above = below + (below < start + MapValues - 1 ? 1 : 0);
        return (uint)((x - map[below] > map[above] - x ? above : below) - start);
    }

    private const float SmallestNormal = 1.17549435e-38f;
}
