using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>silu(gate) * up and its gradients, a pack a thread; results may replace operands. Grid: ceil(packs / 256).</summary>
internal static class SwiGluKernels
{
    public const int Threads = 256;

    private const float Log2E = 1.44269504f;

    /// <summary>y = gate * sigmoid(gate) * up.</summary>
    public static void Forward<TStorage, TPack>(ArrayView<TStorage> gate, ArrayView<TStorage> up, ArrayView<TStorage> y, int packs)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            Eight g = TPack.Load(gate, i), u = TPack.Load(up, i);
            TPack.Store(y, i, Eight.Multiply(Eight.Multiply(g, Sigmoid(g)), u));
        }
    }

    /// <summary>dGate = dy * up * s * (1 + gate * (1 - s)) and dUp = dy * gate * s, with s = sigmoid(gate).</summary>
    public static void Backward<TStorage, TPack>(
        ArrayView<TStorage> gate, ArrayView<TStorage> up, ArrayView<TStorage> dy, ArrayView<TStorage> dGate, ArrayView<TStorage> dUp, int packs)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            Eight g = TPack.Load(gate, i), u = TPack.Load(up, i), d = TPack.Load(dy, i), s = Sigmoid(g);
            Eight silu = Eight.Multiply(g, s);
            // s (1 + g (1 - s)): multiplied out, it would lose all digits where s is nearly one.
            Eight slope = Eight.Multiply(s, Eight.Add(Eight.Multiply(g, Eight.Add(Eight.Scale(s, -1), 1)), 1));
            TPack.Store(dGate, i, Eight.Multiply(Eight.Multiply(d, u), slope));
            TPack.Store(dUp, i, Eight.Multiply(d, silu));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Eight Sigmoid(Eight x) => new() { A = Sigmoid(x.A), B = Sigmoid(x.B) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Sigmoid(F4 x) => new() { X = Sigmoid(x.X), Y = Sigmoid(x.Y), Z = Sigmoid(x.Z), W = Sigmoid(x.W) };

    /// <summary>Far below zero 2^(-x) is infinite and its reciprocal zero, which is right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sigmoid(float x) => Ptx.Reciprocal(1 + Ptx.Exp2(-Log2E * x));
}
