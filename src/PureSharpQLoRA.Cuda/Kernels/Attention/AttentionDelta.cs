using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>The row term of the softmax gradient.</summary>
internal static class AttentionDelta
{
    public const int Threads = 128;

    /// <summary>Rows that a block sums.</summary>
    public const int Rows = Threads / LanesPerRow;

    private const int LanesPerRow = 8;

    /// <summary>delta[head, token] = Σ dOutput · output. Eight lanes a row; grid ceil(tokens * heads / 16). Reads each operand once.</summary>
    /// <param name="output">[tokens, heads * size].</param>
    /// <param name="dOutput">Its gradient.</param>
    /// <param name="delta">Result [heads, tokens].</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="rowVectors">Eighths of the head size.</param>
    public static void Run<TVector>(ArrayView<U4> output, ArrayView<U4> dOutput, ArrayView<float> delta, int tokens, int heads, int rowVectors)
        where TVector : struct, IVector
    {
        int lane = Group.IdxX & (LanesPerRow - 1), row = Grid.IdxX * Rows + Group.IdxX / LanesPerRow;
        bool inside = row < tokens * heads;
        float sum = 0;
        if (inside)
        {
            for (int i = row * rowVectors + lane; i < (row + 1) * rowVectors; i += LanesPerRow)
            {
                sum += Eight.Dot(TVector.Load(output, i), TVector.Load(dOutput, i));
            }
        }

        sum += Ptx.ShuffleXor(sum, 4);
        sum += Ptx.ShuffleXor(sum, 2);
        sum += Ptx.ShuffleXor(sum, 1);
        if (inside & lane == 0)
        {
            uint token = (uint)row / (uint)heads;
            delta[(row - (int)token * heads) * tokens + (int)token] = sum;
        }
    }
}
