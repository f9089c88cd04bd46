using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>
/// The norm of all gradients together in two launches, however many tensors there are: a table on the device says where each block's piece
/// lies. Squares are summed in double, in one fixed order; those of finite fp32 values cannot overflow it, so a sum that is not finite means an
/// element that is not. Reads each gradient once.
/// </summary>
internal static class GradientNormKernels
{
    public const int Threads = 256;

    /// <summary>Elements of one tensor that a block sums at most.</summary>
    public const int PieceElements = 16384;

    /// <summary>Integers in a row of the table: a piece's address (low, high), its elements, its tensor.</summary>
    public const int TableWidth = 4;

    /// <summary>Places in the control.</summary>
    public const int Norm = 0, Factor = 1, IsFinite = 2, FirstNotFinite = 3;

    /// <summary>The sum of squares of each piece. Grid: pieces.</summary>
    /// <param name="quads">All memory of the device, from address 0 on.</param>
    /// <param name="elements">The same by elements.</param>
    /// <param name="table">[pieces].</param>
    /// <param name="sums">[pieces].</param>
    public static void Pieces(ArrayView<F4> quads, ArrayView<float> elements, ArrayView<U4> table, ArrayView<double> sums)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(Threads);
        int thread = Group.IdxX;
        U4 piece = table[Grid.IdxX];
        long address = (long)((ulong)piece.Y << 32 | piece.X);
        int count = (int)piece.Z, vectors = (address & 15) == 0 ? count >> 2 : 0;
        long firstQuad = address >> 4, first = address >> 2;
        double sum = 0;
        for (int i = thread; i < vectors; i += Threads)
        {
            F4 g = quads[firstQuad + i];
            sum += Square(g.X) + Square(g.Y) + (Square(g.Z) + Square(g.W));
        }

        for (int i = 4 * vectors + thread; i < count; i += Threads)
        {
            sum += Square(elements[first + i]);
        }

        sum = Sum(sum, shared);
        if (thread == 0)
        {
            sums[Grid.IdxX] = sum;
        }
    }

    /// <summary>Norm, factor, whether all are finite, and the first tensor that is not. One block.</summary>
    /// <param name="table">[pieces], tensors in ascending order.</param>
    /// <param name="sums">[pieces].</param>
    /// <param name="control">[4].</param>
    /// <param name="pieces">How many there are.</param>
    /// <param name="lossScale">What the gradients were multiplied by.</param>
    /// <param name="maximumNorm">Where clipping begins, 0 for nowhere.</param>
    public static void Finish(ArrayView<U4> table, ArrayView<double> sums, ArrayView<float> control, int pieces, float lossScale, float maximumNorm)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(Threads);
        ArrayView<int> tensors = SharedMemory.Allocate<int>(Threads);
        int thread = Group.IdxX, notFinite = int.MaxValue;
        double sum = 0;
        for (int i = thread; i < pieces; i += Threads)
        {
            double part = sums[i];
            sum += part;
            if (!(part <= double.MaxValue))
            {
                notFinite = IntrinsicMath.Min(notFinite, (int)table[i].W);
            }
        }

        tensors[thread] = notFinite;
        sum = Sum(sum, shared);
        if (thread != 0)
        {
            return;
        }

        for (int i = 1; i < Threads; i++)
        {
            notFinite = IntrinsicMath.Min(notFinite, tensors[i]);
        }

        bool finite = notFinite == int.MaxValue;
        double norm = Ptx.Divide(Ptx.SquareRoot(sum), (double)lossScale), clip = 1;
        if (maximumNorm > 0)
        {
            clip = Ptx.Min(1, Ptx.Divide((double)maximumNorm, norm + 1e-6));
        }

        control[Norm] = (float)norm;
        control[Factor] = (float)Ptx.Divide(clip, (double)lossScale);
        control[IsFinite] = finite ? 1f : 0f;
        control[FirstNotFinite] = finite ? -1f : (float)notFinite;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Square(float x) => (double)x * (double)x;

    /// <summary>The sum over the block, for thread 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Sum(double value, ArrayView<double> shared)
    {
        int thread = Group.IdxX;
        shared[thread] = value;
        Group.Barrier();
        for (int step = Threads / 2; step > 0; step >>= 1)
        {
            if (thread < step)
            {
                shared[thread] += shared[thread + step];
            }

            Group.Barrier();
        }

        return shared[0];
    }
}
