namespace PureSharpQLoRA.Core.Tests.Attention;

/// <summary>Causal attention and its gradients straight from the definition, in double precision, whole score matrices.</summary>
internal sealed class AttentionReference
{
    private readonly AttentionShape _shape;
    private readonly int[] _starts;
    private readonly int _past;

    public AttentionReference(AttentionShape shape, int[] starts, int past)
    {
        (_shape, _starts, _past) = (shape, starts, past);
        int tokens = starts[^1];
        Output = new double[tokens * shape.QueryWidth];
        QueryGradient = new double[tokens * shape.QueryWidth];
        KeyGradient = new double[(past + tokens) * shape.KeyWidth];
        ValueGradient = new double[(past + tokens) * shape.KeyWidth];
        LogSumExp = new double[shape.Heads * tokens];
    }

    public double[] Output { get; }

    public double[] LogSumExp { get; }

    public double[] QueryGradient { get; }

    public double[] KeyGradient { get; }

    public double[] ValueGradient { get; }

    public void Run(double[] query, double[] key, double[] value, double[]? outputGradient)
    {
        int size = _shape.HeadSize, group = _shape.Heads / _shape.KeyValueHeads, tokens = _starts[^1];
        for (int document = 0; document + 1 < _starts.Length; document++)
        {
            for (int head = 0; head < _shape.Heads; head++)
            {
                for (int row = _starts[document]; row < _starts[document + 1]; row++)
                {
                    int last = row - _starts[document] + _past;
                    int first = _shape.SlidingWindow == 0 ? 0 : Math.Max(0, last - _shape.SlidingWindow + 1);
                    int q = row * _shape.QueryWidth + head * size;
                    int k = _starts[document] * _shape.KeyWidth + head / group * size;
                    var p = new double[last + 1];
                    double max = double.NegativeInfinity, sum = 0;
                    for (int j = first; j <= last; j++)
                    {
                        p[j] = Dot(query, q, key, k + j * _shape.KeyWidth) * _shape.Scale;
                        max = Math.Max(max, p[j]);
                    }

                    for (int j = first; j <= last; j++)
                    {
                        p[j] = Math.Exp(p[j] - max);
                        sum += p[j];
                    }

                    LogSumExp[head * tokens + row] = max + Math.Log(sum);
                    for (int j = first; j <= last; j++)
                    {
                        p[j] /= sum;
                        for (int d = 0; d < size; d++)
                        {
                            Output[q + d] += p[j] * value[k + j * _shape.KeyWidth + d];
                        }
                    }

                    if (outputGradient is not null)
                    {
                        Differentiate(query, key, value, outputGradient, p, first, last, q, k);
                    }
                }
            }
        }
    }

    private void Differentiate(double[] query, double[] key, double[] value, double[] outputGradient, double[] p, int first, int last, int q, int k)
    {
        int size = _shape.HeadSize;
        double delta = Dot(outputGradient, q, Output, q);
        for (int j = first; j <= last; j++)
        {
            int at = k + j * _shape.KeyWidth;
            double ds = p[j] * (Dot(outputGradient, q, value, at) - delta) * _shape.Scale;
            for (int d = 0; d < size; d++)
            {
                QueryGradient[q + d] += ds * key[at + d];
                KeyGradient[at + d] += ds * query[q + d];
                ValueGradient[at + d] += p[j] * outputGradient[q + d];
            }
        }
    }

    private double Dot(double[] a, int atA, double[] b, int atB)
    {
        double sum = 0;
        for (int d = 0; d < _shape.HeadSize; d++)
        {
            sum += a[atA + d] * b[atB + d];
        }

        return sum;
    }
}
