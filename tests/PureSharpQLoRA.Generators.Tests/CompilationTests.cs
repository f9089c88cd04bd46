using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Planning;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Generators.Tests;

/// <summary>Emitted code compiles against the real libraries, without a warning, and says what the config says.</summary>
public class CompilationTests
{
    /// <summary>A model, and changes of its config: member=JSON, separated by |.</summary>
    public static TheoryData<string, string> Variants =>
    [
        .. Configs.Models.Select(model => (model, "")),
        ("TinyLlama-1.1B", "attention_bias=true|mlp_bias=true"),
        ("TinyLlama-1.1B", "rope_scaling={\"type\": \"linear\", \"factor\": 2}"),
        ("TinyLlama-1.1B", "rope_scaling={\"type\": \"dynamic\", \"factor\": 2.5}"),
        ("TinyLlama-1.1B", "rope_scaling={\"type\": \"yarn\", \"factor\": 4}"),
        ("Qwen2.5-0.5B", "use_sliding_window=true|layer_types=[" + AlternatingTypes(24) + "]"),
        ("Qwen3-0.6B", "use_sliding_window=true|sliding_window=512|max_window_layers=20"),
    ];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Code_compiles(string model, string changes)
    {
        string config = Configs.Read(model);
        foreach (string change in changes.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = change.IndexOf('=', StringComparison.Ordinal);
            config = Configs.ChangeText(config, change[..equals], change[(equals + 1)..]);
        }

        EmittedSources result = ModelSourceEmitter.Emit(config, model + "/config.json", new ModelOptions { ClassName = "Tested", Namespace = "My.Models" });
        Assert.Empty(result.Diagnostics);

        Assembly assembly = Compile(result);

        ModelSpec spec = result.Spec!;
        Type type = assembly.GetType("My.Models.Tested", throwOnError: true)!;
        var description = (ModelDescription)type.GetProperty("Description")!.GetValue(null)!;
        Assert.True(type.IsSubclassOf(typeof(CausalLanguageModel)));
        Assert.Equal(
            (spec.ModelType, spec.VocabularySize, spec.HiddenSize, spec.IntermediateSize, spec.Layers),
            (description.ModelType, description.VocabularySize, description.HiddenSize, description.IntermediateSize, description.Layers));
        Assert.Equal(
            (spec.Heads, spec.KeyValueHeads, spec.HeadSize, spec.MaxPositions, spec.TiedEmbeddings),
            (description.Heads, description.KeyValueHeads, description.HeadSize, description.MaxPositions, description.TiedEmbeddings));
    }

    [Fact]
    public void Constants_of_the_memory_plan_agree_with_the_planner()
    {
        EmittedSources result = Configs.Emit("TinyLlama-1.1B", new() { ClassName = "Tested", Namespace = "My.Models", Rank = 8, TokensPerStep = 512 });
        Type plan = Compile(result).GetType("My.Models.TestedMemoryPlan", throwOnError: true)!;
        object? Value(string name) => plan.GetField(name)!.GetRawConstantValue();

        var options = new PlanOptions { Rank = 8, Length = 512 };
        Assert.Equal(MemoryPlanner.Plan(result.Spec!, options).TotalBytes, Value("PlannedBytes"));
        Assert.Equal(WeightCounts.Nf4Bytes(result.Spec!, doubleQuantization: true), Value("Nf4DoubleQuantizedBaseBytes"));
        Assert.Equal(MemoryTable.Write(result.Spec!, options), Value("Table"));
    }

    private static Assembly Compile(EmittedSources result)
    {
        var parse = new CSharpParseOptions(LanguageVersion.CSharp14, DocumentationMode.Diagnose);
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Emitted",
            result.Files.Select(file => CSharpSyntaxTree.ParseText(file.Text, parse, file.HintName, cancellationToken: TestContext.Current.CancellationToken)),
            GeneratorHost.References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        using var image = new MemoryStream();
        EmitResult emitted = compilation.Emit(image, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Empty(emitted.Diagnostics.Where(diagnostic => diagnostic.Severity >= DiagnosticSeverity.Warning));
        image.Position = 0;
        return new AssemblyLoadContext(null, isCollectible: true).LoadFromStream(image);
    }

    private static string AlternatingTypes(int layers) =>
        string.Join(", ", Enumerable.Range(0, layers).Select(layer => layer % 6 == 5 ? "\"full_attention\"" : "\"sliding_attention\""));
}
