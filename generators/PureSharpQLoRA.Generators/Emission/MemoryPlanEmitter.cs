using System.Globalization;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>Writes the memory plan as constants and a table.</summary>
internal static class MemoryPlanEmitter
{
    public static string Emit(ModelSpec spec, PlanOptions options, TypeNames names)
    {
        string table = MemoryTable.Write(spec, options);
        CodeWriter code = SourceFile.Start(spec, names);
        code.Line($"/// <summary>The memory that training <see cref=\"{names.Model}\"/> takes.</summary>");
        code.Line("/// <remarks>");
        code.Line("/// <code>");
        code.Block("/// ", table);
        code.Line("/// </code>");
        code.Line("/// </remarks>");
        code.Open($"public static class {names.MemoryPlan}");
        EmitConstants(code, spec, options);
        code.Line("/// <summary>The plan as text, for people.</summary>");
        code.Line("public const string Table = \"\"\"");
        code.Block("    ", table);
        code.Line("    \"\"\";");
        code.Close();
        return code.ToString();
    }

    private static void EmitConstants(CodeWriter code, ModelSpec spec, PlanOptions options)
    {
        long PerToken(Checkpointing checkpointing) => ActivationBytes.PerToken(spec, options with { Checkpointing = checkpointing });

        MemoryPlan plan = MemoryPlanner.Plan(spec, options);
        long adapterPerRank = WeightCounts.AdapterPerRank(spec, options.TargetModules);
        Constant(code, "Parameters", WeightCounts.Total(spec), "Weights of the model.");
        Constant(code, "LinearParameters", WeightCounts.Linear(spec), "Weights of the blocks' linear layers, which NF4 holds.");
        Constant(code, "Nf4BaseBytes", WeightCounts.Nf4Bytes(spec, doubleQuantization: false), "Bytes of the linear layers as NF4.");
        Constant(
            code,
            "Nf4DoubleQuantizedBaseBytes",
            WeightCounts.Nf4Bytes(spec, doubleQuantization: true),
            "Bytes of the linear layers as NF4 with double quantisation.");
        Constant(code, "SixteenBitBaseBytes", 2 * WeightCounts.Linear(spec), "Bytes of the linear layers in 16 bits.");
        Constant(code, "OtherWeightBytes", 2 * WeightCounts.Other(spec), "Bytes of embedding, head, norms and biases, in 16 bits.");
        Constant(code, "AdapterBytesPerRank", 4 * adapterPerRank, "Bytes of fp32 adapters on all linear layers, per unit of rank.");
        Constant(code, "GradientBytesPerRank", 4 * adapterPerRank, "Bytes of the adapters' gradients, per unit of rank.");
        Constant(code, "OptimizerBytesPerRank", 8 * adapterPerRank, "Bytes of AdamW's two fp32 moments, per unit of rank.");
        Constant(
            code,
            "ActivationBytesPerToken",
            PerToken(Checkpointing.None),
            $"16-bit values kept per token for the backward pass at rank {options.Rank}, in bytes.");
        Constant(code, "ActivationBytesPerTokenSelective", PerToken(Checkpointing.Selective), "The same where the outputs of norms and SwiGLU are recomputed.");
        Constant(code, "ActivationBytesPerTokenCheckpointed", PerToken(Checkpointing.Full), "The same where each block is recomputed from its input.");
        Constant(code, "PlannedBytes", plan.TotalBytes, $"Bytes of a QLoRA step as in the table: {Words(options)}.");
    }

    private static string Words(PlanOptions options)
    {
        string checkpointing = options.Checkpointing == Checkpointing.Full ? "with" : "without";
        return string.Format(
            CultureInfo.InvariantCulture, "{0:#,##0} tokens, rank {1}, {2} gradient checkpointing", options.Tokens, options.Rank, checkpointing);
    }

    private static void Constant(CodeWriter code, string name, long value, string summary)
    {
        code.Line($"/// <summary>{summary}</summary>");
        code.Line($"public const long {name} = {Literal.Long(value)};");
        code.Line();
    }
}
