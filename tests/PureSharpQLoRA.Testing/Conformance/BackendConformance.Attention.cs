using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    public static TheoryData<int, int, int> HeadCases =>
    [
        (8, 4, 4), (8, 6, 1), (48, 3, 3), (48, 4, 2), (64, 4, 2), (64, 1, 1), (80, 3, 1), (80, 2, 2), (128, 2, 2), (128, 3, 1),
    ];

    private static int[][] DocumentCases =>
    [
        [0, 1], [0, 31], [0, 33], [0, 129], [0, 5, 38], [0, 1, 2, 3], [0, 16, 16, 48], [0, 1, 32, 65, 129],
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
        Operand query = Random(33, 128, amplitude: 8), key = Random(33, 64, amplitude: 8), value = Random(33, 64);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, [0, 33]);
        GuardedOutput output = Output(new Shape(33, 128)), logSumExp = Output(new Shape(2, 33));
        Backend.Attention(query.Tensor, key.Tensor, value.Tensor, output.Tensor, logSumExp.Tensor, shape, [0, 33], 0);

        // A score of some hundreds has an absolute error of 1e-5 or so, which is the relative error of its weight.
        Accuracy.AssertClose(exact, output.Read(), 30 * Bounds.Attention, $"the result");
        Accuracy.AssertClose(total, logSumExp.Read(), Bounds.Attention, $"the sums");
    }

    private void CheckAttention(AttentionShape shape, int[] starts, int past, int capacity)
    {
        int tokens = starts[^1];
        Operand query = Random(tokens, shape.QueryWidth), key = Random(capacity, shape.KeyWidth), value = Random(capacity, shape.KeyWidth);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, starts, past);
        GuardedOutput output = Output(new Shape(tokens, shape.QueryWidth));
        Backend.Attention(query.Tensor, key.Tensor, value.Tensor, output.Tensor, null, shape, starts, past);
        FormattableString what = $"{shape}, documents [{string.Join(", ", starts)}], past {past}";
        Accuracy.AssertClose(exact, output.Read(), Bounds.Attention, what);
        if (past == 0)
        {
            GuardedOutput again = Output(new Shape(tokens, shape.QueryWidth)), logSumExp = Output(new Shape(shape.Heads, tokens));
            Backend.Attention(query.Tensor, key.Tensor, value.Tensor, again.Tensor, logSumExp.Tensor, shape, starts, past);
            Accuracy.AssertClose(exact, again.Read(), Bounds.Attention, what);
            Accuracy.AssertClose(total, logSumExp.Read(), Bounds.Attention, $"the sums, {what}");
        }

        Scope.Reset();
    }

    private void CheckAttentionBackward(AttentionShape shape, int[] starts)
    {
        int tokens = starts[^1];
        Shape wide = new(tokens, shape.QueryWidth), narrow = new(tokens, shape.KeyWidth);
        Operand query = Random(wide), key = Random(narrow), value = Random(narrow), dOutput = Random(wide);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, shape, starts);
        Operand output = Operand(wide, exact), logSumExp = Operand(new Shape(shape.Heads, tokens), total);
        GuardedOutput dQuery = Output(wide), dKey = Output(narrow), dValue = Output(narrow);
        Backend.AttentionBackward(
            query.Tensor, key.Tensor, value.Tensor, output.Tensor, logSumExp.Tensor, dOutput.Tensor,
            dQuery.Tensor, dKey.Tensor, dValue.Tensor, shape, starts);

        (double[] forQuery, double[] forKey, double[] forValue) =
            ReferenceAttention.Backward(query.Values, key.Values, value.Values, dOutput.Values, shape, starts);
        FormattableString what = $"{shape}, documents [{string.Join(", ", starts)}]";
        AssertGradient(forQuery, dQuery.Read(), "queries");
        AssertGradient(forKey, dKey.Read(), "keys");
        AssertGradient(forValue, dValue.Read(), "values");
        Scope.Reset();

        // Where each query sees one key, the weights are constant and the gradients of queries and keys are zero but for rounding.
        void AssertGradient(double[] expected, double[] actual, string operand)
        {
            double floor = Math.Sqrt(actual.Length) * 1e-9;
            if (Math.Sqrt(ReferenceElementwise.SumOfSquares(expected)) > floor)
            {
                Accuracy.AssertClose(expected, actual, Bounds.AttentionGradient, $"{operand}, {what}");
            }
            else
            {
                Assert.All(actual, element => Assert.True(Math.Abs(element) < Bounds.AttentionGradient, $"{operand}, {what}: {element} for 0"));
            }
        }
    }
}
