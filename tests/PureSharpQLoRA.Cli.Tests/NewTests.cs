using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Generators;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class NewTests(TinyModel model) : IClassFixture<TinyModel>
{
    private const string Usings = "global using System; global using System.IO; global using System.Linq; global using System.Collections.Generic;";

    [Fact]
    public void The_project_names_the_config_and_what_it_needs()
    {
        string output = model.NewPath("Story.Host");

        CliRun run = model.Run("new", "--model", model.Folder, "--output-dir", output, "--class-name", "StoryTeller").MustExitWith(ExitCodes.Done);

        string project = File.ReadAllText(Path.Combine(output, "Story.Host.csproj"));
        Assert.Contains($"""<HuggingFaceModel Include="{Path.Combine(model.Folder, "config.json")}" ClassName="StoryTeller" Namespace="Models" />""", project, StringComparison.Ordinal);
        Assert.Contains("src/PureSharpQLoRA/PureSharpQLoRA.csproj", project, StringComparison.Ordinal);
        Assert.Contains($"dotnet run -c Release --project {output}", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_program_compiles_with_the_generated_model()
    {
        string output = model.NewPath("host");
        model.Run("new", "--model", model.Folder, "--output-dir", output, "--class-name", "StoryTeller").MustExitWith(ExitCodes.Done);
        string config = Path.Combine(model.Folder, "config.json");
        EmittedSources sources = ModelSourceEmitter.Emit(File.ReadAllText(config), config, new ModelOptions { ClassName = "StoryTeller", Namespace = "Models" });
        string program = File.ReadAllText(Path.Combine(output, "Program.cs"));
        string[] runtime = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        Type[] ours = [typeof(Tensor), typeof(CausalLanguageModel), typeof(Tokenizer), typeof(Trainer)];

        CSharpCompilation compilation = CSharpCompilation.Create(
            "Host",
            [.. sources.Files.Select(file => file.Text).Append(program).Append(Usings).Select(text => CSharpSyntaxTree.ParseText(text, cancellationToken: TestContext.Current.CancellationToken))],
            runtime.Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)).Concat(ours.Select(type => type.Assembly.Location)).Distinct().Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));

        Assert.Empty(compilation.GetDiagnostics(TestContext.Current.CancellationToken).Where(found => found.Severity >= DiagnosticSeverity.Warning));
        Assert.InRange(program.Split('\n').Length, 20, 40);
    }

    [Fact]
    public void A_folder_with_files_is_left_alone()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllText(folder.File("Program.cs"), "mine");

        CliRun run = model.Run("new", "--model", model.Folder, "--output-dir", folder.Path).MustExitWith(ExitCodes.Failed);

        Assert.Contains("the folder is not empty", run.Error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(folder.File("Program.cs")));
    }
}
