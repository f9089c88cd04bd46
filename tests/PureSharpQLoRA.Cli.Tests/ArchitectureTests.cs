using System.Xml.Linq;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>Who may know whom.</summary>
public sealed class ArchitectureTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["src/PureSharpQLoRA.Core"] = [],
        ["src/PureSharpQLoRA.Text"] = [],
        ["src/PureSharpQLoRA.Cuda"] = ["PureSharpQLoRA.Core"],
        ["src/PureSharpQLoRA.Transformers"] = ["PureSharpQLoRA.Core"],
        ["src/PureSharpQLoRA.Training"] = ["PureSharpQLoRA.Core", "PureSharpQLoRA.Text", "PureSharpQLoRA.Transformers"],
        ["src/PureSharpQLoRA"] =
            ["PureSharpQLoRA.Core", "PureSharpQLoRA.Cuda", "PureSharpQLoRA.Generators", "PureSharpQLoRA.Text", "PureSharpQLoRA.Training", "PureSharpQLoRA.Transformers"],
        ["generators/PureSharpQLoRA.Generators"] = [],
    };

    private static readonly string[] Roots = ["src", "generators"];

    public static TheoryData<string> Libraries =>
        [.. Roots.SelectMany(part => Directory.EnumerateFiles(TestFiles.InRepository(part), "*.csproj", SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(TestFiles.Root, Path.GetDirectoryName(file)!).Replace('\\', '/'))];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Libraries_reference_what_they_may(string library)
    {
        Assert.True(Allowed.TryGetValue(library, out string[]? allowed), $"{library} is new: say here what it may reference.");
        string project = Directory.EnumerateFiles(TestFiles.InRepository(library), "*.csproj").Single();

        Assert.Empty(References(project).Except(allowed!));
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Libraries_never_write_to_the_console(string library) =>
        Assert.DoesNotContain(Sources(library), file => File.ReadLines(file).Any(line => line.Contains("Console.", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Only_the_Cuda_library_itself_names_Cuda(string library)
    {
        if (library != "src/PureSharpQLoRA.Cuda")
        {
            Assert.DoesNotContain(Sources(library), file => File.ReadAllText(file).Contains("PureSharpQLoRA.Cuda", StringComparison.Ordinal));
        }
    }

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(project).Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

    private static IEnumerable<string> Sources(string library) =>
        Directory.EnumerateFiles(TestFiles.InRepository(library), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Replace('\\', '/').Contains("/obj/", StringComparison.Ordinal) && !file.Replace('\\', '/').Contains("/bin/", StringComparison.Ordinal));
}
