using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>Writes the class of the whole model.</summary>
internal static class ModelEmitter
{
    public static string Emit(ModelSpec spec, TypeNames names)
    {
        CodeWriter code = SourceFile.Start(spec, names, "PureSharpQLoRA.Core", "PureSharpQLoRA.Transformers");
        code.Line($"/// <summary>A {spec.FamilyName} language model of {spec.Layers} blocks.</summary>");
        code.Line($"/// <remarks>Vocabulary {spec.VocabularySize}; width {spec.HiddenSize}; up to {spec.MaxPositions} positions. {Head(spec)}</remarks>");
        code.Open($"public sealed partial class {names.Model} : CausalLanguageModel");
        EmitConstructor(code, spec, names);
        EmitDescription(code, spec);
        EmitProperties(code, spec, names);
        EmitForward(code, spec, names);
        code.Close();
        return code.ToString();
    }

    private static void EmitConstructor(CodeWriter code, ModelSpec spec, TypeNames names)
    {
        code.Lines(
            "/// <summary>Reads the model's weights.</summary>",
            "/// <param name=\"scope\">Where the weights are, and whether they become dense, NF4 or adapted layers.</param>");
        code.Line($"public {names.Model}(WeightScope scope)");
        code.Open("    : base(scope, Description)");
        code.Lines(
            $"Embedding = scope.Embedding(\"model.embed_tokens\", count: {spec.VocabularySize}, width: {spec.HiddenSize});",
            "Rotary = scope.Rotary(",
            $"    headSize: {spec.HeadSize},",
            $"    maxPositions: {spec.MaxPositions},",
            $"    {RotaryScaling(spec.Rotary)});",
            $"Blocks = new {names.Block}[{spec.Layers}];");
        code.Open("for (int layer = 0; layer < Blocks.Length; layer++)");
        code.Line($"Blocks[layer] = new {names.Block}(scope.Child($\"model.layers.{{layer}}\"), Rotary, layer);");
        code.Close();
        code.Line();
        code.Lines(
            $"Norm = scope.RmsNorm(\"model.norm\", size: {spec.HiddenSize}, epsilon: {Literal.Float(spec.NormEpsilon)});",
            spec.TiedEmbeddings
                ? "Head = scope.TiedHead(Embedding);"
                : $"Head = scope.Head(\"lm_head\", inputs: {spec.HiddenSize}, outputs: {spec.VocabularySize});");
        code.Close();
        code.Line();
    }

    private static void EmitDescription(CodeWriter code, ModelSpec spec)
    {
        code.Line("/// <summary>The sizes of the config this class was generated from.</summary>");
        code.Open("public static ModelDescription Description { get; } = new()");
        code.Lines(
            $"ModelType = {Literal.String(spec.ModelType)},",
            $"VocabularySize = {spec.VocabularySize},",
            $"HiddenSize = {spec.HiddenSize},",
            $"IntermediateSize = {spec.IntermediateSize},",
            $"Layers = {spec.Layers},",
            $"Heads = {spec.Heads},",
            $"KeyValueHeads = {spec.KeyValueHeads},",
            $"HeadSize = {spec.HeadSize},",
            $"MaxPositions = {spec.MaxPositions},",
            $"TiedEmbeddings = {Literal.Boolean(spec.TiedEmbeddings)},");
        code.Close("};");
        code.Line();
    }

    private static void EmitProperties(CodeWriter code, ModelSpec spec, TypeNames names)
    {
        code.Lines(
            $"/// <summary>Token embedding, [{spec.VocabularySize}, {spec.HiddenSize}].</summary>",
            "public override EmbeddingLayer Embedding { get; }",
            "",
            $"/// <summary>Turns the {spec.HeadSize} values of a head by its token's position.</summary>",
            "public RotaryEmbedding Rotary { get; }",
            "",
            $"/// <summary>The {spec.Layers} blocks, first to last.</summary>",
            $"public {names.Block}[] Blocks {{ get; }}",
            "",
            $"/// <summary>Norm after the last block, [{spec.HiddenSize}].</summary>",
            "public RmsNorm Norm { get; }",
            "",
            spec.TiedEmbeddings
                ? $"/// <summary>Hidden states to logits by the embedding's weight, [{spec.VocabularySize}, {spec.HiddenSize}].</summary>"
                : $"/// <summary>Hidden states to logits, [{spec.VocabularySize}, {spec.HiddenSize}].</summary>",
            "public override LanguageHead Head { get; }",
            "");
    }

    private static void EmitForward(CodeWriter code, ModelSpec spec, TypeNames names)
    {
        code.Lines(
            $"/// <summary>Token ids, [tokens], to normed hidden states, [tokens, {spec.HiddenSize}].</summary>",
            "/// <param name=\"tape\">Records what the gradient needs.</param>",
            "/// <param name=\"ids\">[tokens].</param>",
            "/// <param name=\"layout\">Positions and boundaries of the sequences in the batch.</param>");
        code.Open("public override Tensor Forward(Tape tape, Tensor ids, SequenceLayout layout)");
        code.Line("Tensor x = Embedding.Forward(tape, ids, layout);");
        code.Open($"foreach ({names.Block} block in Blocks)");
        code.Line("x = tape.Block(block, x, layout);");
        code.Close();
        code.Line();
        code.Line("return Norm.Forward(tape, x);");
        code.Close();
    }

    private static string Head(ModelSpec spec) => spec.TiedEmbeddings ? "The head is the embedding." : "The head has its own weight.";

    private static string RotaryScaling(RotarySpec rotary)
    {
        string theta = $"theta: {Literal.Float(rotary.Theta)}";
        string factor = $"factor: {Literal.Float(rotary.Factor)}";
        string original = $"originalMaxPositions: {rotary.OriginalMaxPositions}";
        return rotary.Kind switch
        {
            RotaryKind.Linear => $"RotaryScaling.Linear({theta}, {factor})",
            RotaryKind.Dynamic => $"RotaryScaling.Dynamic({theta}, {factor}, {original})",
            RotaryKind.Yarn =>
                $"RotaryScaling.Yarn({theta}, {factor}, {original}, betaFast: {Literal.Float(rotary.BetaFast)}, "
                + $"betaSlow: {Literal.Float(rotary.BetaSlow)}, attentionFactor: {Literal.Float(rotary.AttentionFactor)})",
            RotaryKind.Llama3 =>
                $"RotaryScaling.Llama3({theta}, {factor}, lowFrequencyFactor: {Literal.Float(rotary.LowFrequencyFactor)}, "
                + $"highFrequencyFactor: {Literal.Float(rotary.HighFrequencyFactor)}, {original})",
            _ => $"RotaryScaling.Default({theta})",
        };
    }
}
