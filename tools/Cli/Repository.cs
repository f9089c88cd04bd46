namespace PureSharpQLoRA.Cli;

/// <summary>The repository that this program was built in.</summary>
internal static class Repository
{
    /// <summary>Its root folder; null for an installed tool.</summary>
    public static string? Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "PureSharpQLoRA.sln")))
            {
                return folder.FullName;
            }
        }

        return null;
    }
}
