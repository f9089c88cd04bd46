using Microsoft.Win32.SafeHandles;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads at positions, in full or not at all.</summary>
internal static class FileBytes
{
    public static SafeFileHandle Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new WeightFormatException(path, Directory.Exists(path) ? "this is a folder, not a file" : "the file does not exist");
        }

        return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.None);
    }

    public static void ReadExactly(string file, SafeFileHandle handle, Span<byte> target, long offset, string? tensor = null)
    {
        while (target.Length > 0)
        {
            int read = RandomAccess.Read(handle, target, offset);
            if (read == 0)
            {
                throw new WeightFormatException(file, $"the file ends {target.Length} bytes too early; was it shortened meanwhile?", tensor, offset);
            }

            target = target[read..];
            offset += read;
        }
    }
}
