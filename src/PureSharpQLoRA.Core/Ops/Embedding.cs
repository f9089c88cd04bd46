namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// y[i, :] = table[ids[i], :]. An id outside the table is refused where the backend shares the host's memory; a device that runs behind
    /// answers it with a row of NaN.
    /// </summary>
    /// <param name="table">[count, width], fp32, fp16 or bf16.</param>
    /// <param name="ids">[tokens] int32.</param>
    /// <param name="y">[tokens, width], activation type.</param>
    void Gather(Tensor table, Tensor ids, Tensor y);

    /// <summary>dTable[ids[i], :] += dy[i, :], in the order of the tokens. dy in the activation type, dTable fp32.</summary>
    void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable);
}

/// <summary>Token embeddings.</summary>
public static class EmbeddingOps
{
    /// <summary>The rows of a table that token ids name.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="table">[vocabulary, width].</param>
    /// <param name="ids">[tokens] int32, each in [0, vocabulary).</param>
    /// <returns>[tokens, width].</returns>
    public static Tensor Embedding(this Tape tape, Tensor table, Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(ids);
        ShapeException.ThrowIfNot(ids, DataType.Int32, "Embedding", "ids");
        Tensor y = tape.NewTensor(new Shape((int)ids.Shape.Count, table.Shape.Columns));
        tape.Backend.Gather(table, ids, y);
        if (tape.IsRecording && table.RequiresGradient)
        {
            EmbeddingNode node = tape.NewNode<EmbeddingNode>();
            node.Set(table, ids);
            tape.Record(node, y);
        }

        return y;
    }

    /// <summary>
    /// Uniform noise of amplitude alpha / sqrt(length * width) on embeddings while training: NEFTune (Jain et al. 2023, arXiv:2310.05914).
    /// Changes <paramref name="x"/> in place; its gradient is unchanged by it.
    /// </summary>
    public static void EmbeddingNoise(this Tape tape, Tensor x, float alpha, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(layout);
        if (tape.IsTraining && alpha > 0)
        {
            tape.Backend.AddUniformNoise(x, alpha / MathF.Sqrt((float)layout.LongestDocument * x.Shape.Columns), tape.NextRandomSeed());
        }
    }

    private sealed class EmbeddingNode : TapeNode
    {
        private Tensor? _table;
        private Tensor? _ids;

        public void Set(Tensor table, Tensor ids) => (_table, _ids) = (table, ids);

        protected internal override void Backward(Tape tape)
        {
            Tensor target = tape.GradientFor(_table!, out bool accumulate);
            if (!accumulate)
            {
                tape.Backend.Fill(target, 0);
            }

            tape.Backend.ScatterAdd(Tape.GradientOf(Output)!, _ids!, target);
        }

        protected internal override void Clear() => (_table, _ids) = (null, null);
    }
}
