using System.Security.Cryptography;
using System.Text;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.ModelCompilation;

/// <summary>
/// Compiled models on disk, named by what they were made of. An entry is the SHA-256 of an assembly and the assembly itself; a damaged one counts as missing.
/// </summary>
internal sealed class CompilationCache(string folder)
{
    /// <summary>The folder that the operating system has for such files.</summary>
    public static string DefaultFolder
    {
        get
        {
            string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(cache))
            {
                string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
                cache = OperatingSystem.IsWindows()
                    ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                    : Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), ".cache");
            }

            return Path.Combine(cache, "puresharp", "models");
        }
    }

    /// <summary>The name of an entry: everything that the assembly depends on.</summary>
    public static string Key(params IEnumerable<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in parts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The assembly kept under a key, or null.</summary>
    public byte[]? Find(string key)
    {
        try
        {
            byte[] entry = File.ReadAllBytes(FileOf(key));
            return entry.Length > SHA256.HashSizeInBytes && SHA256.HashData(entry.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(entry.AsSpan(0, SHA256.HashSizeInBytes))
                ? entry[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps an assembly. Where the folder cannot be written, it isn't kept: the next run compiles again.</summary>
    public void Add(string key, byte[] assembly)
    {
        try
        {
            using AtomicFile file = AtomicFile.Create(FileOf(key));
            RandomAccess.Write(file.Handle, SHA256.HashData(assembly), 0);
            RandomAccess.Write(file.Handle, assembly, SHA256.HashSizeInBytes);
            file.Commit();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return;
        }
    }

    private string FileOf(string key) => Path.Combine(folder, key + ".model");
}
