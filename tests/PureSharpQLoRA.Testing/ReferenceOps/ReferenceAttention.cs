using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Causal attention within documents, in double, with the scores of one query at a time in full.</summary>
public static class ReferenceAttention
{
    /// <summary>The result [tokens, heads * size] and the log of the sum of exponentials [heads, tokens].</summary>
    public static (double[] Output, double[] LogSumExp) Forward(
        double[] query, double[] key, double[] value, AttentionShape shape, int[] starts, int past = 0)
    {
        int tokens = starts[^1];
        double[] output = new double[tokens * shape.QueryWidth], logSumExp = new double[shape.Heads * tokens];
        foreach ((int token, int first, int last) in Visible(shape, starts, past))
        {
            for (int head = 0; head < shape.Heads; head++)
            {
                double[] weights = Weights(query, key, shape, token, head, first, last, out double total);
                logSumExp[(head * tokens) + token] = total;
                for (int j = first; j <= last; j++)
                {
                    for (int i = 0; i < shape.HeadSize; i++)
                    {
                        output[QueryAt(shape, token, head) + i] += weights[j - first] * value[KeyAt(shape, j, head) + i];
                    }
                }
            }
        }

        return (output, logSumExp);
    }

    /// <summary>The gradients for queries, keys and values, given that of the result.</summary>
    public static (double[] Query, double[] Key, double[] Value) Backward(
        double[] query, double[] key, double[] value, double[] dOutput, AttentionShape shape, int[] starts)
    {
        double[] dQuery = new double[query.Length], dKey = new double[key.Length], dValue = new double[value.Length];
        foreach ((int token, int first, int last) in Visible(shape, starts, past: 0))
        {
            for (int head = 0; head < shape.Heads; head++)
            {
                double[] weights = Weights(query, key, shape, token, head, first, last, out _);
                int q = QueryAt(shape, token, head);
                var dWeights = new double[weights.Length];
                double mean = 0;
                for (int j = first; j <= last; j++)
                {
                    int k = KeyAt(shape, j, head);
                    for (int i = 0; i < shape.HeadSize; i++)
                    {
                        dWeights[j - first] += dOutput[q + i] * value[k + i];
                        dValue[k + i] += weights[j - first] * dOutput[q + i];
                    }

                    mean += weights[j - first] * dWeights[j - first];
                }

                for (int j = first; j <= last; j++)
                {
                    int k = KeyAt(shape, j, head);
                    double dScore = weights[j - first] * (dWeights[j - first] - mean) * shape.Scale;
                    for (int i = 0; i < shape.HeadSize; i++)
                    {
                        dQuery[q + i] += dScore * key[k + i];
                        dKey[k + i] += dScore * query[q + i];
                    }
                }
            }
        }

        return (dQuery, dKey, dValue);
    }

    /// <summary>Each query with the first and last key that it sees.</summary>
    private static IEnumerable<(int Token, int First, int Last)> Visible(AttentionShape shape, int[] starts, int past)
    {
        for (int document = 0; document + 1 < starts.Length; document++)
        {
            for (int token = starts[document]; token < starts[document + 1]; token++)
            {
                int last = past + token;
                int first = shape.SlidingWindow > 0 ? Math.Max(starts[document], last - shape.SlidingWindow + 1) : starts[document];
                yield return (token, first, last);
            }
        }
    }

    private static double[] Weights(double[] query, double[] key, AttentionShape shape, int token, int head, int first, int last, out double logSumExp)
    {
        var weights = new double[last - first + 1];
        for (int j = first; j <= last; j++)
        {
            double score = 0;
            for (int i = 0; i < shape.HeadSize; i++)
            {
                score += query[QueryAt(shape, token, head) + i] * key[KeyAt(shape, j, head) + i];
            }

            weights[j - first] = score * shape.Scale;
        }

        double top = weights.Max();
        double total = weights.Sum(score => Math.Exp(score - top));
        logSumExp = top + Math.Log(total);
        for (int j = 0; j < weights.Length; j++)
        {
            weights[j] = Math.Exp(weights[j] - top) / total;
        }

        return weights;
    }

    private static int QueryAt(AttentionShape shape, int token, int head) => (token * shape.QueryWidth) + (head * shape.HeadSize);

    private static int KeyAt(AttentionShape shape, int token, int head) =>
        (token * shape.KeyWidth) + (head / (shape.Heads / shape.KeyValueHeads) * shape.HeadSize);
}
