using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>
/// Root-mean-square normalisation of rows of whole packs, with fp32 statistics. A row is read once and held in the registers of its lanes: a part of
/// a warp where it is short (the norms of queries and keys), else a block. A block goes from row to row and holds the weight all the while, which
/// in fp32 is as large as a row of 16-bit results and one of its operands together. Grid: as many blocks as the card takes at a time.
/// </summary>
internal static class HeldRmsNormKernels
{
    /// <summary>y = x * r * weight, with r = 1 / sqrt(mean(x²) + epsilon).</summary>
    /// <param name="x">[rows, size].</param>
    /// <param name="weight">[size].</param>
    /// <param name="y">[rows, size].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="rowPacks">Packs of a row.</param>
    /// <param name="lanes">Threads of a row.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public static void Forward<TRow, TPack, TLanes>(ArrayView<U4> x, ArrayView<float> weight, ArrayView<U4> y, int rows, int rowPacks, int lanes, float epsilon)
        where TRow : struct, IHeldRow<TRow>
        where TPack : struct, IPack<U4>
        where TLanes : struct, ILanes
    {
        ArrayView<float> partial = SharedMemory.Allocate<float>(BlockLanes.SharedFloats);
        int together = (int)((uint)Group.DimX / (uint)lanes), own = (int)((uint)Group.IdxX / (uint)lanes), lane = Group.IdxX - own * lanes;
        TRow weights = TRow.LoadSingles<TPack>(weight, new() { First = lane, Lanes = lanes, End = rowPacks });
        for (int first = Grid.IdxX * together; first < rows; first += Grid.DimX * together)
        {
            int row = first + own;
            var place = new RowPlace { Start = row * rowPacks, First = lane, Lanes = lanes, End = row < rows ? rowPacks : 0 };
            TRow values = TRow.Load<TPack>(x, place);
            F2 sum = TLanes.Sum(new() { X = TRow.Dot(values, values) }, lanes, partial);
            float inverse = RmsNormKernels.Inverse(sum.X, rowPacks * TPack.Elements, epsilon);
            TRow.Store<TPack>(y, place, TRow.Scale(TRow.Multiply(values, weights), inverse));
        }
    }

    /// <summary>dx (+)= r g - x r³ mean(g x), with g = dy * weight; and the sums over rows of dy x r, one for each block or warp.</summary>
    /// <param name="x">[rows, size].</param>
    /// <param name="weight">[size].</param>
    /// <param name="dy">[rows, size].</param>
    /// <param name="dx">[rows, size].</param>
    /// <param name="parts">[blocks, size], or [warps, size] where a warp has several rows: what the gradient of the weight is the sum of.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="rowPacks">Packs of a row.</param>
    /// <param name="lanes">Threads of a row.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="mode">What becomes of dx; see <see cref="RmsNormKernels.Backward{T}"/>.</param>
    public static void Backward<TRow, TPack, TLanes, TWeightGradient>(
        ArrayView<U4> x, ArrayView<float> weight, ArrayView<U4> dy, ArrayView<U4> dx, ArrayView<float> parts,
        int rows, int rowPacks, int lanes, float epsilon, int mode)
        where TRow : struct, IHeldRow<TRow>
        where TPack : struct, IPack<U4>
        where TLanes : struct, ILanes
        where TWeightGradient : struct, IOption
    {
        ArrayView<float> partial = SharedMemory.Allocate<float>(BlockLanes.SharedFloats);
        int together = (int)((uint)Group.DimX / (uint)lanes), own = (int)((uint)Group.IdxX / (uint)lanes), lane = Group.IdxX - own * lanes;
        TRow weights = TRow.LoadSingles<TPack>(weight, new() { First = lane, Lanes = lanes, End = rowPacks });
        TRow sums = default;
        for (int first = Grid.IdxX * together; first < rows; first += Grid.DimX * together)
        {
            int row = first + own;
            var place = new RowPlace { Start = row * rowPacks, First = lane, Lanes = lanes, End = row < rows ? rowPacks : 0 };
            TRow values = TRow.Load<TPack>(x, place), gradient = TRow.Load<TPack>(dy, place);
            TRow weighed = TRow.Multiply(gradient, weights);
            F2 sum = TLanes.Sum(new() { X = TRow.Dot(values, values), Y = TRow.Dot(weighed, values) }, lanes, partial);
            float inverse = RmsNormKernels.Inverse(sum.X, rowPacks * TPack.Elements, epsilon);
            if (TWeightGradient.IsWanted)
            {
                sums = TRow.ScaleAdd(TRow.Multiply(values, gradient), inverse, sums);
            }

            if (mode != RmsNormKernels.NoGradient)
            {
                float coefficient = Ptx.Divide(-sum.Y * inverse * inverse * inverse, rowPacks * TPack.Elements);
                TRow result = TRow.ScaleAdd(values, coefficient, TRow.Scale(weighed, inverse));
                if (mode == RmsNormKernels.Accumulate)
                {
                    result = TRow.ScaleAdd(result, 1, TRow.Load<TPack>(dx, place));
                }

                TRow.Store<TPack>(dx, place, result);
            }
        }

        if (TWeightGradient.IsWanted)
        {
            for (int mask = lanes; mask < 32; mask <<= 1)
            {
                sums = TRow.ScaleAdd(sums, 1, TRow.ShuffleXor(sums, mask));
            }

            bool severalRows = lanes <= 32;
            int part = severalRows ? Grid.IdxX * (Group.DimX >> 5) + (Group.IdxX >> 5) : Grid.IdxX;
            bool writes = !severalRows || (Group.IdxX & 31) < lanes;
            TRow.StoreSingles<TPack>(parts, new() { Start = part * rowPacks, First = lane, Lanes = lanes, End = writes ? rowPacks : 0 }, sums);
        }
    }
}
