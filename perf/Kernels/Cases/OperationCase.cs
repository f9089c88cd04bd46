using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Kernels.Cases;

/// <summary>One or a few operations at a size: they bring kernels into the catalogue, and small ones are executed to count their traffic.</summary>
/// <param name="Name">What it shows.</param>
/// <param name="Run">Makes the operands and calls the backend.</param>
/// <param name="IsCounted">Whether it is small enough for the PTX machine, and worth a line in the table of traffic.</param>
internal sealed record OperationCase(string Name, Action<CaseTensors> Run, bool IsCounted)
{
    private const float Epsilon = 1e-5f;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<OperationCase> All { get; } = [.. Products(), .. Attention(), .. Layers(), .. Training()];

    private static IEnumerable<OperationCase> Products()
    {
        // Rows of any length, weights of any type, ranks of any size: whatever path the backend takes for them.
        foreach ((int tokens, int outputs, int inputs, int rank, bool counted) in new[]
        {
            (128, 512, 512, 16, true), (1, 512, 512, 0, true), (8, 512, 512, 0, true), (3, 256, 256, 16, false), (33, 172, 172, 4, false), (130, 72, 64, 8, false),
            (512, 4096, 4096, 64, false), (512, 1024, 1024, 256, false), (17, 520, 448, 32, false),
        })
        {
            string size = $"{tokens} x {outputs} x {inputs}{(rank > 0 ? $", r {rank}" : "")}";
            yield return new($"NF4 product forwards {size}", t => Forwards(t, t.Nf4(outputs, inputs), tokens, rank), counted);
            yield return new($"NF4 product backwards {size}", t => Backwards(t, t.Nf4(outputs, inputs), tokens, rank), counted && tokens > 1);
            foreach (DataType type in new[] { DataType.BFloat16, DataType.Float16, DataType.Float32 })
            {
                bool shown = counted && type == DataType.BFloat16;
                yield return new($"{type} product forwards {size}", t => Forwards(t, t.Dense(type, outputs, inputs), tokens, rank), shown);
                yield return new($"{type} product backwards {size}", t => Backwards(t, t.Dense(type, outputs, inputs), tokens, rank), shown && tokens > 1);
            }
        }

        foreach ((int tokens, int width, int rank, bool counted) in new[]
        {
            (128, 512, 16, true), (256, 4096, 16, true), (33, 172, 4, false), (128, 512, 64, false), (512, 4096, 8, false), (512, 4096, 32, false), (512, 4096, 256, false), (130, 520, 16, false),
        })
        {
            string size = $"{tokens} x {width}, r {rank}";
            yield return new($"adapter down {size}", t => t.Backend.MatMulTransposed(t.Activation(tokens, width), t.Single(rank, width), t.Activation(tokens, rank), 2), counted);
            yield return new($"adapter up, gradient {size}", t => t.Backend.MatMul(t.Activation(tokens, width), t.Single(width, rank), t.Activation(tokens, rank), 2), counted);
            yield return new($"gradient of A {size}", t => t.Backend.MatMulGradient(t.Activation(tokens, rank), t.Activation(tokens, width), t.Single(rank, width), accumulate: false), counted);
            yield return new($"gradient of B {size}", t => t.Backend.MatMulGradient(t.Activation(tokens, width), t.Activation(tokens, rank), t.Single(width, rank), accumulate: true), counted);
        }

        yield return new("head forwards 64 x 1024 x 256", t => t.Backend.MatMulTransposed(t.Activation(64, 256), t.Dense(DataType.BFloat16, 1024, 256), t.Single(64, 1024)), true);
        yield return new("head backwards 64 x 1024 x 256", t => t.Backend.MatMul(t.Single(64, 1024), t.Dense(DataType.BFloat16, 1024, 256), t.Activation(64, 256)), true);
        yield return new("weight gradient of the head", t => t.Backend.MatMulGradient(t.Single(64, 512), t.Activation(64, 256), t.Single(512, 256), accumulate: false), false);
        yield return new("bias", t =>
        {
            t.Backend.AddBias(t.Activation(64, 512), t.Vector(512));
            t.Backend.SumRows(t.Activation(64, 512), t.Vector(512), accumulate: false);
        }, false);
    }

    private static IEnumerable<OperationCase> Attention()
    {
        foreach ((int size, int tokens, bool counted) in new[] { (64, 256, true), (128, 256, true), (80, 130, false), (96, 130, false), (256, 130, false), (8, 33, false), (48, 33, false) })
        {
            yield return new($"attention forwards, {tokens} tokens, 4:1 heads of {size}", t => AttentionForwards(t, size, tokens, gradients: false), counted);
            yield return new($"attention forwards and backwards, {tokens} tokens, 4:1 heads of {size}", t => AttentionForwards(t, size, tokens, gradients: true), counted);
            yield return new($"attention, decoding after {tokens} tokens, 4:1 heads of {size}", t =>
            {
                var shape = new AttentionShape(4, 1, size, 1 / MathF.Sqrt(size));
                t.Backend.Attention(t.Activation(1, 4 * size), t.Activation(tokens + 1, size), t.Activation(tokens + 1, size), t.Activation(1, 4 * size), null, shape, [0, 1], tokens);
            }, counted);
        }
    }

    private static IEnumerable<OperationCase> Layers()
    {
        foreach ((int tokens, int width, bool counted) in new[] { (128, 4096, true), (128, 896, true), (3, 172, false), (2, 14336, false), (5, 128, false) })
        {
            yield return new($"RMSNorm {tokens} x {width}", t => t.Backend.RmsNorm(t.Activation(tokens, width), t.Vector(width), t.Activation(tokens, width), Epsilon), counted);
            yield return new($"RMSNorm backwards {tokens} x {width}", t => t.Backend.RmsNormBackward(
                t.Activation(tokens, width), t.Vector(width), t.Activation(tokens, width), Epsilon, t.Activation(tokens, width), accumulateX: true, null, accumulateWeight: false), counted);
            yield return new($"SwiGLU {tokens} x {width}", t => t.Backend.SwiGlu(t.Activation(tokens, width), t.Activation(tokens, width), t.Activation(tokens, width)), counted);
            yield return new($"SwiGLU backwards {tokens} x {width}", t => t.Backend.SwiGluBackward(
                t.Activation(tokens, width), t.Activation(tokens, width), t.Activation(tokens, width), t.Activation(tokens, width), t.Activation(tokens, width)), counted);
            yield return new($"residual add {tokens} x {width}", t => t.Backend.Add(t.Activation(tokens, width), t.Activation(tokens, width), t.Activation(tokens, width)), counted);
            yield return new($"accumulation of gradients {tokens} x {width}", t => t.Backend.AddScaled(t.Activation(tokens, width), 1, t.Activation(tokens, width)), counted);
            yield return new($"embedding {tokens} x {width}", t => t.Backend.Gather(t.Dense(DataType.BFloat16, 64, width), t.Ids(tokens, 64), t.Activation(tokens, width)), counted);
            yield return new($"dropout {tokens} x {width}", t => t.Backend.Dropout(t.Activation(tokens, width), t.Activation(tokens, width), 0.1f, 7, accumulate: false), counted);
        }

        yield return new("RMSNorm backwards with the weight's gradient", t => t.Backend.RmsNormBackward(
            t.Activation(33, 256), t.Vector(256), t.Activation(33, 256), Epsilon, t.Activation(33, 256), accumulateX: false, t.Vector(256), accumulateWeight: true), false);
        yield return new("gradient of the embedding", t => t.Backend.ScatterAdd(t.Activation(16, 256), t.Ids(16, 64), t.Single(64, 256)), false);
        yield return new("noise on the embedding", t => t.Backend.AddUniformNoise(t.Activation(16, 256), 0.1f, 7), false);
        yield return new("copies between types", t =>
        {
            t.Backend.Copy(t.Single(16, 64), t.Activation(16, 64));
            t.Backend.Copy(t.Activation(16, 64), t.Single(16, 64));
            t.Backend.Fill(t.Single(16, 64), 1);
            t.Backend.Fill(t.Activation(16, 64), 1);
        }, false);
        foreach ((int size, bool counted) in new[] { (64, true), (128, true), (80, false), (8, false) })
        {
            int[] positions = [.. Enumerable.Range(0, 32)];
            yield return new($"rotary 32 x 32 heads of {size}", t => t.Backend.Rotate(t.Activation(32, 32 * size), t.Single(64, size / 2), t.Single(64, size / 2), positions, size, inverse: false), counted);
        }

        foreach (DataType type in new[] { DataType.BFloat16, DataType.Float16, DataType.Float32 })
        {
            yield return new($"NF4 quantisation of {type}", t => t.Backend.QuantizeNf4(t.Dense(type, 64, 512), t.Nf4(64, 512)), type == DataType.BFloat16);
        }

        yield return new("DoRA", t =>
        {
            foreach (Tensor weight in new[] { t.Nf4(256, 256), t.Dense(DataType.BFloat16, 256, 256) })
            {
                t.Backend.AdaptedRowNorms(weight, t.Single(16, 256), t.Single(256, 16), 2, t.Vector(256));
            }

            t.Backend.ScaleColumns(t.Activation(33, 256), t.Vector(256), t.Vector(256), t.Activation(33, 256));
            t.Backend.ColumnDots(t.Activation(33, 256), t.Activation(33, 256), t.Vector(256), t.Vector(256), accumulate: false);
        }, false);
    }

    private static IEnumerable<OperationCase> Training()
    {
        foreach ((int vocabulary, bool counted) in new[] { (8192, true), (50257, false) })
        {
            yield return new($"cross-entropy 4 x {vocabulary}", t => t.Backend.CrossEntropy(t.Single(4, vocabulary), [1, 2, 3, vocabulary - 1], t.Single(4, 1), 0.25f), counted);
        }

        yield return new("sum of losses", t => t.Backend.AddSum(t.Single(2048, 1), t.Vector(2)), false);
        foreach ((int count, bool counted) in new[] { (65536, true), (65537, false) })
        {
            yield return new($"gradient norm {count}", t => t.Backend.GradientNorm([t.Vector(count)], 1, 1, t.Vector(4)), counted);
            yield return new($"AdamW {count}", t =>
            {
                Tensor control = t.Vector(4), second = t.Vector(count);
                if (counted)
                {
                    t.Backend.Fill(second, 1);
                }

                t.Backend.GradientNorm([second], 1, 1, control);
                t.Backend.AdamW(t.Vector(count), t.Vector(count), t.Vector(count), second, new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, 1), control);
            }, counted);
            yield return new($"AdamW in 8 bits {count}", t =>
            {
                Tensor control = t.Vector(4);
                int blocks = EightBitMoments.Blocks(count);
                t.Backend.GradientNorm([t.Vector(count)], 1, 1, control);
                t.Backend.AdamW8Bit(t.Vector(count), t.Vector(count), t.Bytes(count), t.Vector(blocks), t.Bytes(count), t.Vector(blocks), new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, 1), control);
            }, counted);
        }
    }

    private static void Forwards(CaseTensors t, Tensor weight, int tokens, int rank) => t.Backend.MatMulTransposed(
        t.Activation(tokens, weight.Shape.Columns), weight, t.Activation(tokens, weight.Shape[0]), term: rank > 0 ? new LowRankTerm(t.Activation(tokens, rank), t.Single(weight.Shape[0], rank)) : null);

    private static void Backwards(CaseTensors t, Tensor weight, int tokens, int rank) => t.Backend.MatMul(
        t.Activation(tokens, weight.Shape[0]), weight, t.Activation(tokens, weight.Shape.Columns), term: rank > 0 ? new LowRankTerm(t.Activation(tokens, rank), t.Single(rank, weight.Shape.Columns)) : null);

    private static void AttentionForwards(CaseTensors t, int size, int tokens, bool gradients)
    {
        var shape = new AttentionShape(4, 1, size, 1 / MathF.Sqrt(size));
        Tensor query = t.Activation(tokens, 4 * size), key = t.Activation(tokens, size), value = t.Activation(tokens, size), output = t.Activation(tokens, 4 * size), logSumExp = t.Single(4, tokens);
        t.Backend.Attention(query, key, value, output, logSumExp, shape, [0, tokens], 0);
        if (gradients)
        {
            t.Backend.AttentionBackward(
                query, key, value, output, logSumExp, t.Activation(tokens, 4 * size), t.Activation(tokens, 4 * size), t.Activation(tokens, size), t.Activation(tokens, size), shape, [0, tokens]);
        }
    }
}
