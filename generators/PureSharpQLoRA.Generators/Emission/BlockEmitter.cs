using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>Writes the class of one block.</summary>
internal static class BlockEmitter
{
    public static string Emit(ModelSpec spec, TypeNames names)
    {
        CodeWriter code = SourceFile.Start(spec, names, "PureSharpQLoRA.Core", "PureSharpQLoRA.Transformers");
        code.Line($"/// <summary>One {spec.FamilyName} block: {AttentionName(spec)} attention, then a SwiGLU MLP, each pre-normed.</summary>");
        code.Line($"/// <remarks>Width {spec.HiddenSize}; {Heads(spec)} of {spec.HeadSize}; MLP {spec.IntermediateSize}.{Extras(spec)}</remarks>");
        code.Open($"public sealed partial class {names.Block} : Module, IBlock");
        EmitConstructor(code, spec, names);
        EmitProperties(code, spec);
        EmitForward(code, spec);
        code.Close();
        return code.ToString();
    }

    private static void EmitConstructor(CodeWriter code, ModelSpec spec, TypeNames names)
    {
        code.Lines(
            "/// <summary>Reads the block's weights.</summary>",
            "/// <param name=\"scope\">Where the weights are: the names below are relative to it.</param>",
            "/// <param name=\"rotary\">The rotary embedding that all blocks share.</param>",
            "/// <param name=\"layer\">The block's index, from 0.</param>");
        code.Open($"public {names.Block}(WeightScope scope, RotaryEmbedding rotary, int layer)");
        code.Line($"InputNorm = {Norm(spec, "input_layernorm", spec.HiddenSize)};");
        Dictionary<string, LinearSpec> linears = spec.BlockLinears.ToDictionary(linear => linear.Property);
        foreach (string property in new[] { "Query", "Key", "Value" })
        {
            EmitLinear(code, linears[property]);
        }

        if (spec.QueryKeyNorm)
        {
            code.Line($"QueryNorm = {Norm(spec, "self_attn.q_norm", spec.HeadSize)};");
            code.Line($"KeyNorm = {Norm(spec, "self_attn.k_norm", spec.HeadSize)};");
        }

        code.Line(spec.LayersWithoutRotary.Count == 0 ? "Rotary = rotary;" : $"Rotary = {Condition(spec.LayersWithoutRotary)} ? null : rotary;");
        code.Line(
            $"Attention = scope.Attention(layer, heads: {spec.Heads}, keyValueHeads: {spec.KeyValueHeads}, headSize: {spec.HeadSize}{Window(spec)});");
        EmitLinear(code, linears["Output"]);
        code.Line($"PostAttentionNorm = {Norm(spec, "post_attention_layernorm", spec.HiddenSize)};");
        foreach (string property in new[] { "Gate", "Up", "Down" })
        {
            EmitLinear(code, linears[property]);
        }

        code.Close();
        code.Line();
    }

    private static void EmitLinear(CodeWriter code, LinearSpec linear)
    {
        string bias = linear.Bias ? ", bias: true" : "";
        code.Line($"{linear.Property} = scope.Linear(\"{linear.Path}\", inputs: {linear.Inputs}, outputs: {linear.Outputs}{bias});");
    }

    private static void EmitProperties(CodeWriter code, ModelSpec spec)
    {
        Property(code, "RmsNorm", "InputNorm", $"Norm before the attention, [{spec.HiddenSize}].");
        Property(code, "Linear", "Query", $"Query projection, {Weight(spec, "Query")}.");
        Property(code, "Linear", "Key", $"Key projection, {Weight(spec, "Key")}.");
        Property(code, "Linear", "Value", $"Value projection, {Weight(spec, "Value")}.");
        if (spec.QueryKeyNorm)
        {
            Property(code, "RmsNorm", "QueryNorm", $"Norm of each query head, [{spec.HeadSize}].");
            Property(code, "RmsNorm", "KeyNorm", $"Norm of each key head, [{spec.HeadSize}].");
        }

        if (spec.LayersWithoutRotary.Count == 0)
        {
            Property(code, "RotaryEmbedding", "Rotary", "Turns queries and keys by their positions.");
        }
        else
        {
            Property(code, "RotaryEmbedding?", "Rotary", "Turns queries and keys by their positions; null in layers that don't.");
        }

        Property(code, "AttentionLayer", "Attention", $"Causal attention of {Heads(spec)}.");
        Property(code, "Linear", "Output", $"Output projection of the attention, {Weight(spec, "Output")}.");
        Property(code, "RmsNorm", "PostAttentionNorm", $"Norm before the MLP, [{spec.HiddenSize}].");
        Property(code, "Linear", "Gate", $"Gate projection of the MLP, {Weight(spec, "Gate")}.");
        Property(code, "Linear", "Up", $"Up projection of the MLP, {Weight(spec, "Up")}.");
        Property(code, "Linear", "Down", $"Down projection of the MLP, {Weight(spec, "Down")}.");
    }

    private static void EmitForward(CodeWriter code, ModelSpec spec)
    {
        code.Lines(
            "/// <summary>Attention and its residual connection.</summary>",
            "/// <param name=\"tape\">Records what the gradient needs.</param>",
            $"/// <param name=\"x\">[tokens, {spec.HiddenSize}].</param>",
            "/// <param name=\"layout\">Positions and boundaries of the sequences in the batch.</param>",
            $"/// <returns>[tokens, {spec.HiddenSize}].</returns>");
        code.Open("public Tensor Attend(Tape tape, Tensor x, SequenceLayout layout)");
        code.Lines(
            "Tensor h = InputNorm.Forward(tape, x);",
            "Tensor query = Query.Forward(tape, h);",
            "Tensor key = Key.Forward(tape, h);",
            "Tensor value = Value.Forward(tape, h);");
        if (spec.QueryKeyNorm)
        {
            code.Lines(
                "query = QueryNorm.Forward(tape, query);",
                "key = KeyNorm.Forward(tape, key);");
        }

        if (spec.LayersWithoutRotary.Count == 0)
        {
            EmitRotation(code);
        }
        else
        {
            code.Open("if (Rotary is not null)");
            EmitRotation(code);
            code.Close();
            code.Line();
        }

        code.Lines(
            "Tensor mixed = Attention.Forward(tape, query, key, value, layout);",
            "return tape.Residual(x, Output.Forward(tape, mixed));");
        code.Close();
        code.Line();
        code.Lines(
            "/// <summary>The MLP and its residual connection, each token by itself.</summary>",
            "/// <param name=\"tape\">Records what the gradient needs.</param>",
            $"/// <param name=\"x\">[tokens, {spec.HiddenSize}].</param>",
            $"/// <returns>[tokens, {spec.HiddenSize}].</returns>");
        code.Open("public Tensor Transform(Tape tape, Tensor x)");
        code.Lines(
            "Tensor h = PostAttentionNorm.Forward(tape, x);",
            "Tensor active = tape.SwiGlu(Gate.Forward(tape, h), Up.Forward(tape, h));",
            "return Down.AddTo(tape, x, active);");
        code.Close();
    }

    private static void EmitRotation(CodeWriter code) => code.Lines(
        "query = Rotary.Forward(tape, query, layout);",
        "key = Rotary.Forward(tape, key, layout);");

    private static void Property(CodeWriter code, string type, string name, string summary)
    {
        code.Line($"/// <summary>{summary}</summary>");
        code.Line($"public {type} {name} {{ get; }}");
        code.Line();
    }

    private static string Norm(ModelSpec spec, string name, int size) =>
        $"scope.RmsNorm(\"{name}\", size: {size}, epsilon: {Literal.Float(spec.NormEpsilon)})";

    private static string Weight(ModelSpec spec, string property)
    {
        LinearSpec linear = spec.BlockLinears.Single(linear => linear.Property == property);
        return $"[{linear.Outputs}, {linear.Inputs}]" + (linear.Bias ? $" with a bias of [{linear.Outputs}]" : "");
    }

    private static string AttentionName(ModelSpec spec) => spec switch
    {
        { KeyValueHeads: 1, Heads: > 1 } => "multi-query",
        _ when spec.KeyValueHeads < spec.Heads => "grouped-query",
        _ => "multi-head",
    };

    private static string Heads(ModelSpec spec) => spec.KeyValueHeads == spec.Heads
        ? $"{spec.Heads} heads"
        : $"{spec.Heads} query and {spec.KeyValueHeads} key/value heads";

    private static string Extras(ModelSpec spec)
    {
        int unturned = spec.LayersWithoutRotary.Count(without => without);
        string rotary = unturned == 0 ? "" : $" {unturned} of {spec.Layers} layers have no rotary embedding.";
        if (spec.SlidingWindow == 0)
        {
            return rotary;
        }

        int sliding = spec.SlidingLayers.Count(slides => slides);
        string where = sliding == spec.Layers ? "" : $" in {sliding} of {spec.Layers} layers";
        return $" Attention looks back {spec.SlidingWindow} tokens{where}.{rotary}";
    }

    /// <summary>The argument for a sliding window: a constant, or a condition on the layer where only some slide; 0 means none.</summary>
    private static string Window(ModelSpec spec)
    {
        if (spec.SlidingWindow == 0)
        {
            return "";
        }

        return spec.SlidingLayers.Contains(false)
            ? $", slidingWindow: {Condition(spec.SlidingLayers)} ? {spec.SlidingWindow} : 0"
            : $", slidingWindow: {spec.SlidingWindow}";
    }

    /// <summary>A condition on the layer's index that holds in the marked layers.</summary>
    private static string Condition(EquatableArray<bool> layers)
    {
        int[] marked = [.. Enumerable.Range(0, layers.Count).Where(layer => layers[layer])];
        bool isTail = marked[0] == layers.Count - marked.Length;
        return isTail ? $"layer >= {marked[0]}" : $"layer is {string.Join(" or ", marked.Select(Literal.Number))}";
    }
}
