using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Logits of a whole text.</summary>
internal static class TextLogits
{
    private const int LongestText = 256;

    /// <summary>[tokens, vocabulary] of the first tokens of a text.</summary>
    public static float[] Of(ModelSession session, string text)
    {
        CausalLanguageModel model = session.Model;
        int[] ids = session.Tokenizer.Encode(text);
        ids = ids[..Math.Min(ids.Length, Math.Min(LongestText, model.Sizes.MaxPositions))];
        if (ids.Length == 0)
        {
            throw new UsageException("--text: the text has no tokens.");
        }

        using var tape = new Tape(session.Backend);
        Tensor input = tape.NewTensor(new Shape(ids.Length), DataType.Int32);
        session.Backend.Upload(MemoryMarshal.AsBytes<int>(ids), input);
        Tensor hidden = model.Forward(tape, input, SequenceLayout.Uniform(1, ids.Length));
        Tensor logits = model.Head.Logits(tape, hidden, 0, ids.Length);
        var values = new float[logits.Shape.Count];
        session.Backend.Download(logits, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}

/// <summary>How far two sets of logits are apart.</summary>
/// <param name="Max">The largest difference.</param>
/// <param name="Mean">The mean absolute difference.</param>
/// <param name="Deviation">The standard deviation of the first set, to compare with.</param>
internal sealed record LogitDifference(double Max, double Mean, double Deviation)
{
    public static LogitDifference Between(float[] first, float[] second)
    {
        double max = 0, sum = 0, mean = first.Average(value => (double)value), squares = 0;
        for (int i = 0; i < first.Length; i++)
        {
            double difference = Math.Abs((double)first[i] - second[i]);
            max = Math.Max(max, difference);
            sum += difference;
            squares += (first[i] - mean) * (first[i] - mean);
        }

        return new LogitDifference(max, sum / first.Length, Math.Sqrt(squares / first.Length));
    }
}
