using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace PureSharpQLoRA.Generators.Tests;

/// <summary>Runs the generator as the compiler does: on additional files with metadata.</summary>
internal sealed class GeneratorHost
{
    private readonly Dictionary<string, TextFile> _files;
    private GeneratorDriver _driver;

    public GeneratorHost(Dictionary<string, Dictionary<string, string>?> metadata, params (string Path, string? Text)[] files)
    {
        _files = files.ToDictionary(file => file.Path, file => new TextFile(file.Path, file.Text));
        Compilation = CSharpCompilation.Create(
            "Host",
            [CSharpSyntaxTree.ParseText("public class Host;", cancellationToken: TestContext.Current.CancellationToken)],
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        _driver = CSharpGeneratorDriver.Create(
            [new HuggingFaceModelGenerator().AsSourceGenerator()],
            _files.Values,
            parseOptions: null,
            new Options(metadata),
            new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));
    }

    /// <summary>Everything the test host itself runs on, which includes the libraries that emitted code calls.</summary>
    public static IReadOnlyList<MetadataReference> References { get; } =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase))
            .Select(path => MetadataReference.CreateFromFile(path))];

    /// <summary>The host's compilation; tests may change it between runs.</summary>
    public Compilation Compilation { get; set; }

    /// <summary>All files have the same metadata; null for files that are no HuggingFaceModel.</summary>
    public static GeneratorHost Uniform(Dictionary<string, string>? metadata, params (string Path, string? Text)[] files) =>
        new(files.ToDictionary(file => file.Path, _ => metadata), files);

    public GeneratorRunResult Run()
    {
        _driver = _driver.RunGenerators(Compilation, TestContext.Current.CancellationToken);
        return _driver.GetRunResult().Results.Single();
    }

    /// <summary>Puts another text in the place of a file's.</summary>
    public void Edit(string path, string text)
    {
        var changed = new TextFile(path, text);
        _driver = _driver.ReplaceAdditionalText(_files[path], changed);
        _files[path] = changed;
    }

    private sealed class TextFile(string path, string? text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText? GetText(CancellationToken cancellationToken = default) => text is null ? null : SourceText.From(text);
    }

    private sealed class Options(Dictionary<string, Dictionary<string, string>?> metadata) : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(
            ImmutableDictionary<string, string>.Empty.Add("build_property.RootNamespace", "My.App"));

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => new Values([]);

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile)
        {
            if (!metadata.TryGetValue(textFile.Path, out Dictionary<string, string>? values) || values is null)
            {
                return new Values([]);
            }

            return new Values(values
                .Append(new("IsHuggingFaceModel", "true"))
                .ToImmutableDictionary(pair => "build_metadata.AdditionalFiles." + pair.Key, pair => pair.Value));
        }
    }

    private sealed class Values(ImmutableDictionary<string, string> values) : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => values.TryGetValue(key, out value);
    }
}
