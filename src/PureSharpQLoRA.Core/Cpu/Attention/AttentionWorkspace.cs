namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>The scratch memory of one thread.</summary>
internal readonly unsafe struct AttentionWorkspace
{
    /// <summary>Keys whose scores are in scratch at a time, forward.</summary>
    public const int ForwardKeys = 256;

    /// <summary>As <see cref="ForwardKeys"/>, backward: there scores and their gradients share the first-level cache.</summary>
    public const int BackwardKeys = 128;

    /// <summary>Keys whose gradients a thread sums up at a time, over all queries and the heads of a group.</summary>
    public const int SegmentKeys = 256;

    /// <summary>Zeros for the widest tile.</summary>
    public const int ZeroFloats = 64;

    private const int Lanes = QueryBlock.Lanes;

    public AttentionWorkspace(float* at, int width)
    {
        int block = width * Lanes;
        Zeros = at;
        Shift = at + ZeroFloats;
        Delta = Shift + Lanes;
        QueryRows = Delta + Lanes;
        QueryT = QueryRows + block;
        Result = QueryT + block;
        GradientRows = Result + block;
        GradientT = GradientRows + block;
        Scores = GradientT + block;
        ScoreGradients = Scores + ForwardKeys * Lanes;
        KeyGradients = ScoreGradients + BackwardKeys * Lanes;
        ValueGradients = KeyGradients + SegmentKeys * width;
    }

    /// <summary>A row of zeros.</summary>
    public float* Zeros { get; }

    /// <summary>Minus the logarithms (base 2) of the sums, or factors, per query.</summary>
    public float* Shift { get; }

    /// <summary>Minus the sums over d of output times its gradient, per query.</summary>
    public float* Delta { get; }

    /// <summary>The block's queries, scaled, [32][width].</summary>
    public float* QueryRows { get; }

    /// <summary>The same, [width][32].</summary>
    public float* QueryT { get; }

    /// <summary>Output or query gradient, [32][width].</summary>
    public float* Result { get; }

    /// <summary>Gradients of the block's outputs, [32][width].</summary>
    public float* GradientRows { get; }

    /// <summary>The same, [width][32].</summary>
    public float* GradientT { get; }

    /// <summary>Scores, then probabilities, [keys][32].</summary>
    public float* Scores { get; }

    /// <summary>[keys][32].</summary>
    public float* ScoreGradients { get; }

    /// <summary>[keys][width].</summary>
    public float* KeyGradients { get; }

    /// <summary>[keys][width].</summary>
    public float* ValueGradients { get; }

    /// <summary>Floats per thread, whole cache lines.</summary>
    public static long Floats(int width) => ZeroFloats + 2 * Lanes + 5L * width * Lanes + (ForwardKeys + BackwardKeys) * Lanes + 2L * SegmentKeys * width;

    /// <summary>The workspace of a member of the team.</summary>
    public static AttentionWorkspace Of(float* first, int member, int width) => new(first + member * Floats(width), width);
}
