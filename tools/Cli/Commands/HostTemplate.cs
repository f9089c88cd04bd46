namespace PureSharpQLoRA.Cli.Commands;

/// <summary>The files of a host project.</summary>
internal static class HostTemplate
{
    /// <summary>The csproj: with the package, or with the projects of the repository that this tool was built in.</summary>
    public static string Project(string folder, string config, string className, string @namespace)
    {
        string? repository = Repository.Find();
        bool inside = repository is not null && folder.StartsWith(repository + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        string model = inside && config.StartsWith(repository + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? Slashes(Path.GetRelativePath(folder, config)) : config;
        return $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TieredCompilation>false</TieredCompilation>
                <ConcurrentGarbageCollection>false</ConcurrentGarbageCollection>
              </PropertyGroup>
              <ItemGroup>
                <HuggingFaceModel Include="{model}" ClassName="{className}" Namespace="{@namespace}" />
              </ItemGroup>
            {References(folder, repository, inside)}
            </Project>

            """.Replace("\r\n", "\n", StringComparison.Ordinal);
    }

    /// <summary>A program that fine-tunes the model.</summary>
    public static string Program(string modelFolder, string data, string className, string @namespace) => $$"""
        using {{@namespace}};
        using PureSharpQLoRA.Core.Cpu;
        using PureSharpQLoRA.Text;
        using PureSharpQLoRA.Training;
        using PureSharpQLoRA.Transformers;

        // Fine-tunes {{className}} with QLoRA: dotnet run -c Release -- [data.jsonl] [output folder]
        const string ModelFolder = @"{{modelFolder}}";
        string file = args.Length > 0 ? args[0] : @"{{data}}";
        string output = args.Length > 1 ? args[1] : "results";

        using var backend = new CpuBackend();
        using var model = ModelLoader.Load(ModelFolder, backend, new LoadOptions { LoadIn4Bit = true }, scope => new {{className}}(scope));
        model.Adapters.Add("default", new LoraOptions { Rank = 16, Alpha = 32 }, seed: 42);

        Tokenizer tokenizer = Tokenizer.Load(ModelFolder);
        Dataset data = DatasetReader.Read([file], tokenizer, new DatasetOptions { MaxLength = 256, VocabularySize = model.Sizes.VocabularySize });
        var options = new TrainingOptions { OutputDirectory = output, BatchSize = 8, MaxSteps = 100, LearningRate = 1e-3 };
        using var trainer = new Trainer(model, data, options, observers: new ConsoleProgress());
        TrainingResult result = trainer.Run();
        trainer.SaveResult();
        Console.WriteLine($"{result.Steps} steps, last loss {result.LastLoss:0.0000}; the adapter is in {Path.GetFullPath(output)}");

        internal sealed class ConsoleProgress : ITrainingObserver
        {
            public void OnLogged(in LoggedMetrics metrics) =>
                Console.WriteLine($"step {metrics.Step,4}  loss {metrics.Loss:0.0000}  {metrics.TokensPerSecond:#,##0} tokens/s");
        }

        """.Replace("\r\n", "\n", StringComparison.Ordinal);

    private static string References(string folder, string? repository, bool inside)
    {
        if (repository is null)
        {
            return $"""
                  <ItemGroup>
                    <PackageReference Include="PureSharpQLoRA" Version="{CommandLineApp.Version}" />
                  </ItemGroup>
                """;
        }

        string root = inside ? Slashes(Path.GetRelativePath(folder, repository)) : repository;
        string projects = $"""
              <ItemGroup>
                <ProjectReference Include="{root}/src/PureSharpQLoRA/PureSharpQLoRA.csproj" />
            """;

        // Projects inside get the generator from the repository's Directory.Build.targets.
        return inside
            ? projects + "\n  </ItemGroup>"
            : projects + $"""

                    <ProjectReference Include="{root}/generators/PureSharpQLoRA.Generators/PureSharpQLoRA.Generators.csproj" OutputItemType="Analyzer" ReferenceOutputAssembly="false" />
                  </ItemGroup>
                  <Import Project="{root}/src/PureSharpQLoRA/buildTransitive/PureSharpQLoRA.targets" />
                """;
    }

    private static string Slashes(string path) => path.Replace('\\', '/');
}
