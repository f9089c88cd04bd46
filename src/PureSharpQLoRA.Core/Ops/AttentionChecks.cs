namespace PureSharpQLoRA.Core;

/// <summary>What every backend refuses in a call of attention.</summary>
internal static class AttentionChecks
{
    public static void Forward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        const string Operation = "Attention";
        CheckQuery(query, shape, starts, past);
        int tokens = starts[^1];
        CheckCache(key, tokens + past, shape, "key");
        CheckCache(value, tokens + past, shape, "value");
        ShapeException.ThrowIfNot(output, query.Shape, Operation, "output");
        if (logSumExp is not null)
        {
            ShapeException.ThrowIfNot(logSumExp, new Shape(shape.Heads, tokens), Operation, "logSumExp");
        }
    }

    public static void Backward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        const string Operation = "AttentionBackward";
        CheckQuery(query, shape, starts, past: 0);
        var keyShape = new Shape(starts[^1], shape.KeyWidth);
        ShapeException.ThrowIfNot(key, keyShape, Operation, "key");
        ShapeException.ThrowIfNot(value, keyShape, Operation, "value");
        ShapeException.ThrowIfNot(output, query.Shape, Operation, "output");
        ShapeException.ThrowIfNot(logSumExp, new Shape(shape.Heads, starts[^1]), Operation, "logSumExp");
        ShapeException.ThrowIfNot(dOutput, query.Shape, Operation, "dOutput");
        ShapeException.ThrowIfNot(dQuery, query.Shape, Operation, "dQuery");
        ShapeException.ThrowIfNot(dKey, keyShape, Operation, "dKey");
        ShapeException.ThrowIfNot(dValue, keyShape, Operation, "dValue");
    }

    private static void CheckQuery(Tensor query, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        if (shape.Heads <= 0 || shape.KeyValueHeads <= 0 || shape.HeadSize <= 0 || shape.Heads % shape.KeyValueHeads != 0)
        {
            throw new ArgumentException($"Attention: {shape.Heads} query heads of {shape.HeadSize} do not share {shape.KeyValueHeads} key heads evenly.", nameof(shape));
        }

        if (shape.SlidingWindow < 0 || past < 0)
        {
            throw new ArgumentException($"Attention: the sliding window ({shape.SlidingWindow}) and the past ({past}) cannot be negative.");
        }

        if (starts.Length < 2 || starts[0] != 0)
        {
            throw new ArgumentException("Attention: document boundaries begin with 0 and end with the number of tokens.", nameof(starts));
        }

        for (int i = 1; i < starts.Length; i++)
        {
            if (starts[i] < starts[i - 1])
            {
                throw new ArgumentException($"Attention: document boundary {i} ({starts[i]}) is before the one ahead of it ({starts[i - 1]}).", nameof(starts));
            }
        }

        if (past > 0 && starts.Length > 2)
        {
            throw new ArgumentException($"Attention: a past of {past} tokens needs a single document, not {starts.Length - 1}.", nameof(past));
        }

        ShapeException.ThrowIfNot(query, new Shape(starts[^1], shape.QueryWidth), "Attention", "query");
    }

    private static void CheckCache(Tensor rows, int least, in AttentionShape shape, string operand)
    {
        ShapeException.ThrowIfColumnsNot(rows, shape.KeyWidth, "Attention", operand);
        if (rows.Shape.Rows < least)
        {
            throw new ShapeException("Attention", operand, $"at least {least} rows", rows.Shape.ToString());
        }
    }
}
