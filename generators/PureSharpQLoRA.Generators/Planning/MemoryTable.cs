using System.Globalization;
using System.Text;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Memory plans side by side, as text.</summary>
public static class MemoryTable
{
    private const int NameWidth = 24;
    private const int Width = 14;

    /// <summary>QLoRA, LoRA and full fine-tuning under the same settings, in MiB; lines end in \n, the last one without.</summary>
    public static string Write(ModelSpec spec, PlanOptions options)
    {
        MemoryPlan[] plans =
        [
            MemoryPlanner.Plan(spec, options with { Method = TrainingMethod.QLora }),
            MemoryPlanner.Plan(spec, options with { Method = TrainingMethod.Lora }),
            MemoryPlanner.Plan(spec, options with { Method = TrainingMethod.Full }),
        ];
        var text = new StringBuilder();
        string recomputed = options.Checkpointing switch
        {
            Checkpointing.Full when options.OffloadsActivations => "gradient checkpointing, activations offloaded",
            Checkpointing.Full => "gradient checkpointing",
            Checkpointing.Selective => "selective checkpointing",
            _ => "no gradient checkpointing",
        };
        text.Append(string.Format(
            CultureInfo.InvariantCulture,
            "{0:#,##0} weights; {1:#,##0} tokens per step, rank {2}, {3}",
            WeightCounts.Total(spec),
            options.Tokens,
            options.Rank,
            recomputed));
        text.Append(options.DoubleQuantization ? ", double quantisation\n\n" : "\n\n");
        text.Append("MiB".PadRight(NameWidth)).Append("QLoRA".PadLeft(Width)).Append("LoRA".PadLeft(Width)).Append("Full".PadLeft(Width)).Append('\n');
        for (int row = 0; row < plans[0].Rows.Count; row++)
        {
            Line(text, plans[0].Rows[row].Name, plans.Select(plan => plan.Rows[row].Bytes));
            text.Append('\n');
        }

        Line(text, "Total", plans.Select(plan => plan.TotalBytes));
        return text.ToString();
    }

    private static void Line(StringBuilder text, string name, IEnumerable<long> bytes)
    {
        text.Append(name.PadRight(NameWidth));
        foreach (long value in bytes)
        {
            text.Append((value / (1024.0 * 1024)).ToString("#,##0.0", CultureInfo.InvariantCulture).PadLeft(Width));
        }
    }
}
