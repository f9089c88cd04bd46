namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>A decoder's forward pass for one document in double and in plain loops: what the engine must agree with.</summary>
internal sealed class PlainModel(ModelConfig config, IReadOnlyDictionary<string, float[]> weights)
{
    /// <summary>Logits [tokens][vocabulary].</summary>
    public double[][] Logits(int[] ids)
    {
        float[] embedding = weights["model.embed_tokens.weight"];
        double[][] x = [.. ids.Select(id => Enumerable.Range(0, config.Hidden).Select(i => (double)embedding[(id * config.Hidden) + i]).ToArray())];
        (double[] frequencies, double factor) = PlainRotary.Of(config, ids.Length);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string path = $"model.layers.{layer}.";
            // Without frequencies, nothing is turned.
            double[] turns = config.HasRotary(layer) ? frequencies : [];
            double[][] h = [.. x.Select(row => Norm(row, path + "input_layernorm"))];
            double[][] query = Heads(h, path + "self_attn.q_proj", path + "self_attn.q_norm", turns, factor);
            double[][] key = Heads(h, path + "self_attn.k_proj", path + "self_attn.k_norm", turns, factor);
            double[][] value = [.. h.Select(row => Linear(row, path + "self_attn.v_proj"))];
            for (int token = 0; token < ids.Length; token++)
            {
                x[token] = Sum(x[token], Linear(Attend(query[token], key, value, token, config.Window(layer)), path + "self_attn.o_proj"));
                double[] normed = Norm(x[token], path + "post_attention_layernorm");
                double[] gate = Linear(normed, path + "mlp.gate_proj"), up = Linear(normed, path + "mlp.up_proj");
                double[] active = [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)];
                x[token] = Sum(x[token], Linear(active, path + "mlp.down_proj"));
            }
        }

        string head = config.Tied ? "model.embed_tokens" : "lm_head";
        return [.. x.Select(row => Linear(Norm(row, "model.norm"), head))];
    }

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (left, right) => left + right)];

    private double[] Linear(double[] x, string name)
    {
        float[] weight = weights[name + ".weight"];
        var y = new double[weight.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            double sum = weights.TryGetValue(name + ".bias", out float[]? bias) ? bias[row] : 0;
            for (int i = 0; i < x.Length; i++)
            {
                sum += x[i] * weight[(row * x.Length) + i];
            }

            y[row] = sum;
        }

        return y;
    }

    private double[] Norm(double[] x, string name)
    {
        float[] weight = weights[name + ".weight"];
        double scale = 1 / Math.Sqrt((x.Sum(value => value * value) / x.Length) + config.Epsilon);
        return [.. x.Select((value, i) => value * scale * weight[i])];
    }

    /// <summary>Projected, normed per head where the family does so, and turned by position.</summary>
    private double[][] Heads(double[][] x, string projection, string norm, double[] frequencies, double factor)
    {
        var rows = new double[x.Length][];
        for (int position = 0; position < x.Length; position++)
        {
            double[] row = Linear(x[position], projection);
            for (int head = 0; head < row.Length / config.HeadSize; head++)
            {
                Span<double> values = row.AsSpan(head * config.HeadSize, config.HeadSize);
                if (config.QueryKeyNorm)
                {
                    Norm(values.ToArray(), norm).CopyTo(values);
                }

                for (int pair = 0; pair < frequencies.Length; pair++)
                {
                    (double sine, double cosine) = Math.SinCos(position * frequencies[pair]);
                    (double first, double second) = (values[pair], values[pair + frequencies.Length]);
                    values[pair] = factor * ((first * cosine) - (second * sine));
                    values[pair + frequencies.Length] = factor * ((second * cosine) + (first * sine));
                }
            }

            rows[position] = row;
        }

        return rows;
    }

    private double[] Attend(double[] query, double[][] key, double[][] value, int token, int window)
    {
        int size = config.HeadSize, first = window == 0 ? 0 : Math.Max(0, token - window + 1);
        var result = new double[query.Length];
        for (int head = 0; head < config.Heads; head++)
        {
            int shared = head / (config.Heads / config.KeyValueHeads) * size;
            var weightsOfKeys = new double[token - first + 1];
            for (int i = 0; i < weightsOfKeys.Length; i++)
            {
                double dot = 0;
                for (int d = 0; d < size; d++)
                {
                    dot += query[(head * size) + d] * key[first + i][shared + d];
                }

                weightsOfKeys[i] = Math.Exp(dot / Math.Sqrt(size));
            }

            double total = weightsOfKeys.Sum();
            for (int i = 0; i < weightsOfKeys.Length; i++)
            {
                for (int d = 0; d < size; d++)
                {
                    result[(head * size) + d] += weightsOfKeys[i] / total * value[first + i][shared + d];
                }
            }
        }

        return result;
    }
}
