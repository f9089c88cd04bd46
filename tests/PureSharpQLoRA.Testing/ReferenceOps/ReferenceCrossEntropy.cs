namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Cross-entropy of rows of logits, in double; a negative label is ignored.</summary>
public static class ReferenceCrossEntropy
{
    /// <summary>The loss of each row.</summary>
    public static double[] Forward(double[] logits, int[] labels)
    {
        int vocabulary = logits.Length / labels.Length;
        var losses = new double[labels.Length];
        for (int row = 0; row < labels.Length; row++)
        {
            if (labels[row] >= 0)
            {
                losses[row] = LogSumExp(logits, row, vocabulary) - logits[(row * vocabulary) + labels[row]];
            }
        }

        return losses;
    }

    /// <summary>The gradient of scale times the sum of the losses.</summary>
    public static double[] Backward(double[] logits, int[] labels, double scale)
    {
        int vocabulary = logits.Length / labels.Length;
        var gradient = new double[logits.Length];
        for (int row = 0; row < labels.Length; row++)
        {
            if (labels[row] < 0)
            {
                continue;
            }

            double total = LogSumExp(logits, row, vocabulary);
            for (int i = row * vocabulary; i < (row + 1) * vocabulary; i++)
            {
                gradient[i] = scale * Math.Exp(logits[i] - total);
            }

            gradient[(row * vocabulary) + labels[row]] -= scale;
        }

        return gradient;
    }

    private static double LogSumExp(double[] logits, int row, int vocabulary)
    {
        ReadOnlySpan<double> values = logits.AsSpan(row * vocabulary, vocabulary);
        double top = double.NegativeInfinity, total = 0;
        foreach (double value in values)
        {
            top = Math.Max(top, value);
        }

        foreach (double value in values)
        {
            total += Math.Exp(value - top);
        }

        return top + Math.Log(total);
    }
}
