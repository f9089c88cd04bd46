using ILGPU;

namespace PureSharpQLoRA.Cuda.Kernels.Elementwise;

/// <summary>
/// Sums an fp32 tensor in double: each block its own range, then one block those sums and the total, always in the same order.
/// Reads every element once; meant for losses, whose number is small.
/// </summary>
internal static class SumKernels
{
    public const int Threads = 256;

    /// <summary>Elements that a block sums.</summary>
    public const int BlockElements = 8192;

    /// <summary>partial[block] = the sum of the block's elements. Grid: ceil(count / 8192).</summary>
    public static void Partial(ArrayView<float> x, ArrayView<double> partial, int count)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(Threads);
        // The last block of the longest tensor begins below 2^31, and no further than its count is counted.
        int first = Grid.IdxX * BlockElements, remaining = count - first;
        int end = remaining < BlockElements ? remaining : BlockElements;
        double sum = 0;
        for (int i = Group.IdxX; i < end; i += Threads)
        {
            sum += x[first + i];
        }

        sum = BlockSum(sum, shared);
        if (Group.IdxX == 0)
        {
            partial[Grid.IdxX] = sum;
        }
    }

    /// <summary>Adds the partial sums to a total of two floats, the second of which is what the first lacks. Grid: 1.</summary>
    public static void Finish(ArrayView<double> partial, ArrayView<float> total, int count)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(Threads);
        double sum = 0;
        for (int i = Group.IdxX; i < count; i += Threads)
        {
            sum += partial[i];
        }

        sum = BlockSum(sum, shared);
        if (Group.IdxX != 0)
        {
            return;
        }

        sum += (double)total[0] + total[1];
        float high = (float)sum;
        double rest = sum - high;
        total[0] = high;
        // An infinite sum lacks nothing; the difference from itself shows what is not finite.
        total[1] = rest - rest == 0 ? (float)rest : 0f;
    }

    private static double BlockSum(double value, ArrayView<double> shared)
    {
        int thread = Group.IdxX;
        shared[thread] = value;
        Group.Barrier();
        for (int half = Threads / 2; half > 0; half >>= 1)
        {
            if (thread < half)
            {
                shared[thread] += shared[thread + half];
            }

            Group.Barrier();
        }

        return shared[0];
    }
}
