using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Dot products of dense rows with a vector.</summary>
internal static unsafe class DenseRowKernel
{
    private const int GroupLength = 32;

    /// <summary>Splits each group of 32 values into the 16 even and the 16 odd ones, as the halves of 16 words of a bf16 row are.</summary>
    public static void Reorder(float* x, int columns, float* to)
    {
        for (int group = 0; group + GroupLength <= columns; group += GroupLength, to += GroupLength)
        {
            for (int i = 0; i < 16; i++)
            {
                to[i] = x[group + 2 * i];
                to[16 + i] = x[group + 2 * i + 1];
            }
        }
    }

    /// <summary>A bf16 row times the reordered vector; what follows the last whole group is taken from <paramref name="x"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float DotBf16(in RightOperand matrix, int row, float* reordered, float* x)
    {
        ushort* values = (ushort*)matrix.Values + (nint)row * matrix.Columns;
        int columns = matrix.Columns;
        Vector512<float> even0 = default, odd0 = default, even1 = default, odd1 = default;
        int done = 0;
        for (; done + 2 * GroupLength <= columns; done += 2 * GroupLength)
        {
            Vector512<uint> words = Vector512.Load((uint*)(values + done));
            even0 = Vector512.FusedMultiplyAdd((words << 16).AsSingle(), Vector512.Load(reordered + done), even0);
            odd0 = Vector512.FusedMultiplyAdd(High(words), Vector512.Load(reordered + done + 16), odd0);
            words = Vector512.Load((uint*)(values + done + GroupLength));
            even1 = Vector512.FusedMultiplyAdd((words << 16).AsSingle(), Vector512.Load(reordered + done + 32), even1);
            odd1 = Vector512.FusedMultiplyAdd(High(words), Vector512.Load(reordered + done + 48), odd1);
        }

        if (done + GroupLength <= columns)
        {
            Vector512<uint> words = Vector512.Load((uint*)(values + done));
            even0 = Vector512.FusedMultiplyAdd((words << 16).AsSingle(), Vector512.Load(reordered + done), even0);
            odd0 = Vector512.FusedMultiplyAdd(High(words), Vector512.Load(reordered + done + 16), odd0);
            done += GroupLength;
        }

        float sum = Vector512.Sum(even0 + even1 + (odd0 + odd1));
        for (; done < columns; done++)
        {
            sum += Bf16.Widen(values[done]) * x[done];
        }

        return sum;
    }

    /// <summary>Two fp32 vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* a, float* b, int count)
    {
        float sum = 0;
        int done = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
            for (; done + 32 <= count; done += 32)
            {
                s0 = Vector256.MultiplyAddEstimate(Vector256.Load(a + done), Vector256.Load(b + done), s0);
                s1 = Vector256.MultiplyAddEstimate(Vector256.Load(a + done + 8), Vector256.Load(b + done + 8), s1);
                s2 = Vector256.MultiplyAddEstimate(Vector256.Load(a + done + 16), Vector256.Load(b + done + 16), s2);
                s3 = Vector256.MultiplyAddEstimate(Vector256.Load(a + done + 24), Vector256.Load(b + done + 24), s3);
            }

            for (; done + 8 <= count; done += 8)
            {
                s0 = Vector256.MultiplyAddEstimate(Vector256.Load(a + done), Vector256.Load(b + done), s0);
            }

            sum = Vector256.Sum(s0 + s1 + (s2 + s3));
        }

        for (; done < count; done++)
        {
            sum += a[done] * b[done];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> High(Vector512<uint> words) => (words & Vector512.Create(0xFFFF0000u)).AsSingle();
}
