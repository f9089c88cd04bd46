using System.Globalization;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Says what is trained, and what memory it takes.</summary>
internal static class ModelSummary
{
    public static void Write(TextWriter output, ModelSession session, long trainable, PlanOptions options)
    {
        ModelSpec spec = session.Blueprint.Spec;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Model: {session.Blueprint.Name}, a {spec.FamilyName} of {WeightCounts.Total(spec):#,##0} weights: {spec.Layers} blocks, width {spec.HiddenSize}, {spec.Heads} heads, MLP {spec.IntermediateSize}, vocabulary {spec.VocabularySize:#,##0}"));
        string method = options.Method switch
        {
            TrainingMethod.QLora => options.DoubleQuantization ? "QLoRA, base in NF4 with double quantisation" : "QLoRA, base in NF4",
            TrainingMethod.Lora => "LoRA, base as stored",
            _ => "all weights in fp32",
        };
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Trained: {trainable:#,##0} weights ({method}), on {session.Backend.Name}"));
        MemoryPlan plan = MemoryPlanner.Plan(spec, options);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Memory plan: {ByteSize.Show(plan.TotalBytes)} for {options.Tokens:#,##0} tokens a pass: ")
            + string.Join(", ", plan.Rows.Where(row => row.Bytes > 0).Select(row => $"{row.Name.ToLowerInvariant()} {ByteSize.Show(row.Bytes)}")));
    }
}
