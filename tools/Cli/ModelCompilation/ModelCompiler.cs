using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Generators;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.ModelCompilation;

/// <summary>Turns the code of a model into a type that can be made, without a project.</summary>
internal sealed class ModelCompiler(CompilationCache cache)
{
    private static readonly Assembly[] Ours = [typeof(CausalLanguageModel).Assembly, typeof(Tensor).Assembly];

    /// <summary>Loads the model's type: from the cache, or else compiled now.</summary>
    public CompiledModel Compile(ModelBlueprint blueprint)
    {
        string key = CompilationCache.Key(
            [blueprint.ConfigJson, blueprint.Sources.ModelType, .. Ours.Append(typeof(ModelSourceEmitter).Assembly).Select(assembly => assembly.ManifestModule.ModuleVersionId.ToString("N"))]);
        byte[]? assembly = cache.Find(key);
        bool fromCache = assembly is not null;
        if (assembly is null)
        {
            assembly = Emit(blueprint.Sources);
            cache.Add(key, assembly);
        }

        return new CompiledModel(assembly, blueprint.Sources.ModelType, fromCache);
    }

    private static byte[] Emit(EmittedSources sources)
    {
        var parsing = new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.None);
        SyntaxTree[] trees = [.. sources.Files.Select((EmittedSource file) => CSharpSyntaxTree.ParseText(file.Text, parsing, file.HintName))];
        CSharpCompilation compilation = CSharpCompilation.Create(
            "PureSharpQLoRA.CompiledModel", trees, References(),
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, deterministic: true, nullableContextOptions: NullableContextOptions.Enable));
        using var stream = new MemoryStream();
        EmitResult result = compilation.Emit(stream);
        return result.Success
            ? stream.ToArray()
            : throw new InvalidOperationException("The code of the model does not compile: " + result.Diagnostics.First(found => found.Severity == DiagnosticSeverity.Error));
    }

    /// <summary>Our assemblies, and of the runtime those that the code can reach.</summary>
    private static IEnumerable<MetadataReference> References()
    {
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string[] names = ["System.Private.CoreLib.dll", "System.Runtime.dll", "System.Collections.dll"];
        return names.Select(name => Path.Combine(runtime, name)).Concat(Ours.Select(assembly => assembly.Location)).Select(path => MetadataReference.CreateFromFile(path));
    }
}
