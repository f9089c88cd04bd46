using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Testing;

/// <summary>Where tests find files: the repository's own, and the optional reference material beside it.</summary>
public static class TestFiles
{
    /// <summary>The repository's root folder, found from the place this file was compiled from, else from the running program.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The folder of reference models and figures beside the repository (or PURESHARP_REFERENCE), or null where it is absent.</summary>
    public static string? Reference { get; } = FindReference();

    /// <summary>A path inside the repository.</summary>
    public static string InRepository(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>A path inside the reference material, or null where that path is absent.</summary>
    public static string? InReference(params string[] parts)
    {
        if (Reference is null)
        {
            return null;
        }

        string path = Path.Combine([Reference, .. parts]);
        return Path.Exists(path) ? path : null;
    }

    /// <summary>A new, empty folder that the caller deletes.</summary>
    public static TemporaryFolder NewFolder() => new();

    private static string FindRoot([CallerFilePath] string here = "")
    {
        foreach (string start in new[] { Path.GetDirectoryName(here) ?? "", AppContext.BaseDirectory })
        {
            for (DirectoryInfo? folder = new(start); folder is { Exists: true }; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "PureSharpQLoRA.sln")))
                {
                    return folder.FullName;
                }
            }
        }

        throw new InvalidOperationException("The repository's root (with PureSharpQLoRA.sln) was not found.");
    }

    private static string? FindReference()
    {
        string? chosen = Environment.GetEnvironmentVariable("PURESHARP_REFERENCE");
        string path = chosen ?? Path.Combine(Path.GetDirectoryName(Root) ?? Root, "shared");
        return Directory.Exists(Path.Combine(path, "models")) ? path : null;
    }
}
