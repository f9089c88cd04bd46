namespace PureSharpQLoRA.Testing;

/// <summary>A folder of its own for one test, deleted with everything in it on disposal.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("puresharp-test-").FullName;

    /// <summary>The path of a file or folder inside.</summary>
    public string File(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
