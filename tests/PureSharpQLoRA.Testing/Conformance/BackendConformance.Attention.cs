using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    public static TheoryData<int, int, int> HeadCases =>
    [
        (8, 4, 4), (8, 6, 1), (48, 3, 3), (48, 4, 2), (64, 4, 2), (64, 1, 1), (80, 3, 1), (80, 2, 2), (128, 2, 2), (128, 3, 1),
    ];

    /// <summary>Windows that reach over all, one, few and many tokens; of the long documents, whose references take long, only two.</summary>
    private static int[] Windows(int tokens) => tokens > 100 ? [0, 40] : [0, 1, 7, 40];

    [Theory]
    [MemberData(nameof(HeadCases))]
    public void Attention(int headSize, int heads, int keyHeads)
    {
        foreach (int[] starts in DocumentCases)
        {
            foreach (int window in Windows(starts[^1]))
            {
                CheckAttention(new AttentionShape(heads, keyHeads, headSize, 1 / MathF.Sqrt(headSize), window), starts, past: 0, capacity: starts[^1]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(HeadCases))]
    public void Attention_over_a_cache(int headSize, int heads, int keyHeads)
    {
        foreach ((int past, int tokens) in new[] { (0, 1), (1, 1), (17, 1), (100, 1), (128, 1), (5, 3), (33, 31), (64, 33) })
        {
            foreach (int window in new[] { 0, 7, 40 })
            {
                CheckAttention(new AttentionShape(heads, keyHeads, headSize, 0.3f, window), [0, tokens], past, past + tokens + 9);
            }
        }
    }

    [Theory]
    [MemberData(nameof(HeadCases))]
    public void Attention_backward(int headSize, int heads, int keyHeads)
    {
        foreach (int[] starts in DocumentCases)
        {
            foreach (int window in Windows(starts[^1]))
            {
                CheckAttentionBackward(new AttentionShape(heads, keyHeads, headSize, 1 / MathF.Sqrt(headSize), window), starts);
            }
        }
    }

    /// <summary>Scores of several hundred neither overflow nor lose the one key that they choose.</summary>
    [Fact]
    public void Attention_with_large_scores()
    {
        var shape = new AttentionShape(2, 1, 64, 1);
        SkipIfTooLarge(AttentionWork(shape, 33, 33));
        Operand query = Activation(33, 128, 8), key = Activation(33, 64, 8), value = Activation(33, 64);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, [0, 33]);
        GuardedOutput output = ActivationOutput(new Shape(33, 128)), logSumExp = Output(new Shape(2, 33));
        Backend.Attention(query.Tensor, key.Tensor, value.Tensor, output.Tensor, logSumExp.Tensor, shape, [0, 33], 0);

        // A score of some hundreds has an absolute error of 1e-5 or so, which is the relative error of its weight.
        output.AssertClose(exact, Bounds.Attention + 3e-5, $"the result");
        logSumExp.AssertClose(total, Bounds.LogSumExp, $"the sums");
    }

    private static long AttentionWork(AttentionShape shape, int tokens, int keys) => 2L * tokens * keys * shape.QueryWidth;

    private void CheckAttention(AttentionShape shape, int[] starts, int past, int capacity)
    {
        int tokens = starts[^1];
        if (IsTooLarge(AttentionWork(shape, tokens, tokens + past)))
        {
            return;
        }

        Operand query = Activation(tokens, shape.QueryWidth), key = Activation(capacity, shape.KeyWidth), value = Activation(capacity, shape.KeyWidth);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, starts, past);
        GuardedOutput output = ActivationOutput(new Shape(tokens, shape.QueryWidth));
        Backend.Attention(query.Tensor, key.Tensor, value.Tensor, output.Tensor, null, shape, starts, past);
        FormattableString what = $"{shape}, documents [{string.Join(", ", starts)}], past {past}";
        output.AssertClose(exact, Bounds.Attention, what);
        if (past == 0)
        {
            GuardedOutput again = ActivationOutput(new Shape(tokens, shape.QueryWidth)), logSumExp = Output(new Shape(shape.Heads, tokens));
            Backend.Attention(query.Tensor, key.Tensor, value.Tensor, again.Tensor, logSumExp.Tensor, shape, starts, past);
            again.AssertClose(exact, Bounds.Attention, what);
            logSumExp.AssertClose(total, Bounds.LogSumExp, $"the sums, {what}");
        }

        Scope.Reset();
    }

    private void CheckAttentionBackward(AttentionShape shape, int[] starts)
    {
        int tokens = starts[^1];
        if (IsTooLarge(3 * AttentionWork(shape, tokens, tokens)))
        {
            return;
        }

        Shape wide = new(tokens, shape.QueryWidth), narrow = new(tokens, shape.KeyWidth);
        Operand query = Activation(wide), key = Activation(narrow), value = Activation(narrow), dOutput = Activation(wide);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, starts);
        Operand output = Operand(wide, exact, Activations), logSumExp = Operand(new Shape(shape.Heads, tokens), total);
        GuardedOutput dQuery = ActivationOutput(wide), dKey = ActivationOutput(narrow), dValue = ActivationOutput(narrow);
        Backend.AttentionBackward(
            query.Tensor, key.Tensor, value.Tensor, output.Tensor, logSumExp.Tensor, dOutput.Tensor,
            dQuery.Tensor, dKey.Tensor, dValue.Tensor, shape, starts);

        (double[] forQuery, double[] forKey, double[] forValue) =
            ReferenceAttention.Backward(query.Values, key.Values, value.Values, dOutput.Values, shape, starts);
        FormattableString what = $"{shape}, documents [{string.Join(", ", starts)}]";
        AssertGradient(forQuery, dQuery, "queries");
        AssertGradient(forKey, dKey, "keys");
        AssertGradient(forValue, dValue, "values");
        Scope.Reset();

        // Where each query sees one key, the weights are constant and the gradients of queries and keys are zero but for rounding.
        void AssertGradient(double[] expected, GuardedOutput actual, string operand)
        {
            double floor = Math.Sqrt(expected.Length) * 1e-9;
            if (Math.Sqrt(ReferenceElementwise.SumOfSquares(expected)) > floor)
            {
                actual.AssertClose(expected, Bounds.AttentionGradient, $"{operand}, {what}");
            }
            else
            {
                Assert.All(actual.Read(), element => Assert.True(Math.Abs(element) < Bounds.AttentionGradient, $"{operand}, {what}: {element} for 0"));
            }
        }
    }
}
