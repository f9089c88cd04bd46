using Microsoft.Win32.SafeHandles;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// A file that appears under its name only when it is complete: it is written as `NAME.tmp-...` beside it, brought to the disk, then renamed.
/// Disposed without <see cref="Commit"/>, it leaves nothing.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private readonly string _temporary;
    private bool _committed;

    private AtomicFile(string path, string temporary, SafeFileHandle handle)
    {
        (Path, _temporary, Handle) = (path, temporary, handle);
    }

    /// <summary>The final name.</summary>
    public string Path { get; }

    /// <summary>Where the content goes.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>Begins a file; its folder is created where it is missing.</summary>
    /// <param name="path">The final name; a file that is there already is replaced on <see cref="Commit"/>.</param>
    /// <param name="expectedBytes">Reserved at once, so that a disk too small is known before the work; 0 where unknown.</param>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public static AtomicFile Create(string path, long expectedBytes = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        string temporary = TemporaryName(path);
        SafeFileHandle handle = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.Read, FileOptions.None, expectedBytes);
        return new AtomicFile(path, temporary, handle);
    }

    /// <summary>Writes a whole file of text (UTF-8 without a mark).</summary>
    public static void WriteText(string path, string text)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        using AtomicFile file = Create(path, bytes.Length);
        RandomAccess.Write(file.Handle, bytes, 0);
        file.Commit();
    }

    /// <summary>Brings the content to the disk and gives the file its name.</summary>
    public void Commit()
    {
        RandomAccess.FlushToDisk(Handle);
        Handle.Dispose();
        File.Move(_temporary, Path, overwrite: true);
        _committed = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Handle.Dispose();
        if (!_committed)
        {
            File.Delete(_temporary);
        }
    }

    internal static string TemporaryName(string path) => $"{path}.tmp-{Guid.NewGuid():N}";
}
