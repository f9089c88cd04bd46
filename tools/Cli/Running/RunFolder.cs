namespace PureSharpQLoRA.Cli.Running;

/// <summary>The output folder of a training run, held for it alone until disposed.</summary>
internal sealed class RunFolder : IDisposable
{
    public const string SettingsFile = "run.yaml";
    public const string MetricsFile = "metrics.jsonl";
    public const string ReportFile = "report.html";

    private const string LockFile = ".lock";

    private static readonly string[] ResultFiles = [MetricsFile, "adapter_config.json", "adapter_model.safetensors", "model.safetensors", "model.safetensors.index.json"];

    // They alone are no results: a run that failed before its first logged step leaves them.
    private static readonly string[] OtherFiles = [SettingsFile, ReportFile];

    private readonly FileStream _lock;

    private RunFolder(string path, FileStream @lock) => (Path, _lock) = (path, @lock);

    public string Path { get; }

    public string Settings => File(SettingsFile);

    public string Metrics => File(MetricsFile);

    public string Report => File(ReportFile);

    /// <summary>Takes a folder for a run.</summary>
    /// <param name="path">The folder; created where it is missing.</param>
    /// <param name="resumes">Whether the run goes on with what is there.</param>
    /// <param name="overwrite">Whether results of another run are deleted.</param>
    /// <exception cref="CliException">Another run uses it, or it holds results of another run.</exception>
    public static RunFolder Open(string path, bool resumes, bool overwrite)
    {
        if (System.IO.File.Exists(path))
        {
            throw new CliException($"--output-dir: {path} is a file; name a folder.");
        }

        Directory.CreateDirectory(path);
        FileStream held;
        try
        {
            held = new FileStream(System.IO.Path.Combine(path, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException error)
        {
            throw new CliException($"--output-dir: {path} is in use by another run; wait for it, or choose another folder.", error);
        }

        var folder = new RunFolder(path, held);
        try
        {
            if (!resumes && folder.Results().FirstOrDefault() is { } found)
            {
                if (!overwrite)
                {
                    throw new CliException(
                        $"--output-dir: {path} holds results of another run ({System.IO.Path.GetFileName(found)}). Choose another folder, go on with that run by "
                        + "--resume-from-checkpoint last, or delete its results by --overwrite-output-dir.");
                }

                folder.DeleteResults();
            }

            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public void Dispose() => _lock.Dispose();

    private string File(string name) => System.IO.Path.Combine(Path, name);

    private IEnumerable<string> Results() =>
        ResultFiles.Select(File).Where(file => new FileInfo(file) is { Exists: true, Length: > 0 }).Concat(Directory.EnumerateDirectories(Path, "checkpoint-*"));

    private void DeleteResults()
    {
        foreach (string found in Results().Concat(OtherFiles.Select(File)).ToArray())
        {
            if (Directory.Exists(found))
            {
                Directory.Delete(found, recursive: true);
            }
            else
            {
                System.IO.File.Delete(found);
            }
        }
    }
}
