using Microsoft.Win32.SafeHandles;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// A folder that appears under its name only when it is complete: files are written into `NAME.tmp-...` beside it, which is renamed at the end.
/// Disposed without <see cref="Commit"/>, it leaves nothing.
/// </summary>
public sealed class AtomicFolder : IDisposable
{
    private bool _committed;

    private AtomicFolder(string path, string temporary)
    {
        (Path, TemporaryPath) = (path, temporary);
    }

    /// <summary>The final name.</summary>
    public string Path { get; }

    /// <summary>Where files are to be written meanwhile.</summary>
    public string TemporaryPath { get; }

    /// <summary>Begins a folder.</summary>
    /// <param name="path">The final name; nothing but an empty folder may be there.</param>
    /// <exception cref="IOException">Something is there already, or the folder above cannot be written.</exception>
    public static AtomicFolder Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        CheckFree(path);
        string temporary = AtomicFile.TemporaryName(path);
        Directory.CreateDirectory(temporary);
        return new AtomicFolder(path, temporary);
    }

    /// <summary>Brings all files to the disk and gives the folder its name.</summary>
    /// <exception cref="IOException">Something else took the name meanwhile.</exception>
    public void Commit()
    {
        foreach (string file in Directory.EnumerateFiles(TemporaryPath, "*", SearchOption.AllDirectories))
        {
            using SafeFileHandle handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(handle);
        }

        CheckFree(Path);
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path);
        }

        Directory.Move(TemporaryPath, Path);
        _committed = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_committed && Directory.Exists(TemporaryPath))
        {
            Directory.Delete(TemporaryPath, recursive: true);
        }
    }

    private static void CheckFree(string path)
    {
        if (File.Exists(path))
        {
            throw new IOException($"{path}: a file of that name exists; choose another folder.");
        }

        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
        {
            throw new IOException($"{path}: the folder is not empty; choose another one or remove what is in it.");
        }
    }
}
