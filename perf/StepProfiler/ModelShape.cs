using PureSharpQLoRA.Core;
using PureSharpQLoRA.StepProfiler.Shapes;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.StepProfiler;

/// <summary>A model size to measure, with the batch it is measured at.</summary>
internal sealed record ModelShape(
    string Name, ModelDescription Sizes, int Batch, int Length, Func<string, IBackend, LoadOptions, CausalLanguageModel> Load)
{
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        new("15m", Llama15M.Description, 8, 256, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama15M(scope))),
        new("135m", Llama135M.Description, 1, 256, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama135M(scope))),
        new("1.1b", Llama1B.Description, 1, 128, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama1B(scope))),
        new("8b", Llama8B.Description, 1, 64, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama8B(scope))),
    ];

    /// <summary>Writes random bf16 weights of this shape.</summary>
    public void WriteWeights(string folder) => RandomModelWriter.Write(folder, [.. LlamaWeights.Of(Sizes)]);
}
