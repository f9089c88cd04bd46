using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A host project for a model.</summary>
internal sealed class NewCommand : ICliCommand
{
    private const string Namespace = "Models";
    private const string ClassName = "class-name";
    private const string Data = "dataset";

    public string Name => "new";

    public string Summary => "Writes a C# project that trains a model folder through its own typed layers";

    public string Positional => FolderOptions.OutputName;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder,
        FolderOptions.Output with { Help = "New folder for the project" },
        new(Data, OptionKind.Path, "The data set that the program trains on unless it is given another one"),
        new(ClassName, OptionKind.Text, "Name of the model's class") { DefaultText = "made of the model folder's name" },
    ];

    public int Run(CommandContext context)
    {
        string output = Path.GetFullPath(context.Values.Text(FolderOptions.OutputName));
        ModelBlueprint model = ModelBlueprint.Read(
            context.Values.Text(CommonOptions.Model), new ModelOptions { ClassName = context.Values.Find(ClassName), Namespace = Namespace });
        string type = model.Sources.ModelType[(Namespace.Length + 1)..];
        string project = Path.GetFileName(Path.TrimEndingDirectorySeparator(output)) + ".csproj";
        string data = context.Values.Find(Data) is { } file ? Path.GetFullPath(file) : "data.jsonl";
        using AtomicFolder folder = AtomicFolder.Create(output);
        AtomicFile.WriteText(Path.Combine(folder.TemporaryPath, project), HostTemplate.Project(output, model.ConfigPath, type, Namespace));
        AtomicFile.WriteText(Path.Combine(folder.TemporaryPath, "Program.cs"), HostTemplate.Program(Path.GetDirectoryName(model.ConfigPath)!, data, type, Namespace));
        folder.Commit();
        string command = $"dotnet run -c Release --project {output} -- {data}";
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("project", Path.Combine(output, project));
                json.WriteString("model_type", model.Sources.ModelType);
                json.WriteString("command", command);
            });
        }

        context.Output.WriteLine($"{output}: {project} and Program.cs, which trains {model.Sources.ModelType}. To run it:");
        context.Output.WriteLine("  " + command);
        return ExitCodes.Done;
    }
}
