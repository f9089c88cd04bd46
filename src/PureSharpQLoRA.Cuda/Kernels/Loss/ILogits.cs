using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Loss;

/// <summary>How a row of fp32 logits is cut into the pieces that a thread takes at a time.</summary>
internal interface ILogits<TPiece>
    where TPiece : unmanaged
{
    /// <summary>Logits in a piece.</summary>
    static abstract int Width { get; }

    static abstract RunningSoftmax Add(RunningSoftmax s, TPiece piece);

    /// <summary>exp(x - maximum) * factor, less <paramref name="scale"/> where <paramref name="label"/> is the element's place in the piece.</summary>
    static abstract TPiece Gradient(TPiece piece, float maximum, float factor, int label, float scale);
}

/// <summary>Four logits: rows at multiples of 16 bytes.</summary>
internal struct QuadLogits : ILogits<F4>
{
    public static int Width
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RunningSoftmax Add(RunningSoftmax s, F4 piece) => RunningSoftmax.Add(s, piece);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Gradient(F4 piece, float maximum, float factor, int label, float scale) => new()
    {
        X = RunningSoftmax.Power(piece.X, maximum) * factor - (label == 0 ? scale : 0f),
        Y = RunningSoftmax.Power(piece.Y, maximum) * factor - (label == 1 ? scale : 0f),
        Z = RunningSoftmax.Power(piece.Z, maximum) * factor - (label == 2 ? scale : 0f),
        W = RunningSoftmax.Power(piece.W, maximum) * factor - (label == 3 ? scale : 0f),
    };
}

/// <summary>One logit: any vocabulary and any alignment.</summary>
internal struct SingleLogits : ILogits<float>
{
    public static int Width
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RunningSoftmax Add(RunningSoftmax s, float piece) => RunningSoftmax.Add(s, piece);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Gradient(float piece, float maximum, float factor, int label, float scale) =>
        RunningSoftmax.Power(piece, maximum) * factor - (label == 0 ? scale : 0f);
}
