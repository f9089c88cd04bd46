namespace PureSharpQLoRA.Testing;

/// <summary>Compares text with a file that is kept in the repository. UPDATE_GOLDEN=1 rewrites the files instead.</summary>
public static class Golden
{
    /// <summary>Throws, showing the first differing line, when <paramref name="actual"/> is not what the golden file says.</summary>
    public static void Match(string actual, string path)
    {
        actual = actual.Replace("\r\n", "\n", StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"The golden file {path} is missing; run once with UPDATE_GOLDEN=1 and read what it wrote.");
        }

        string expected = File.ReadAllText(path).Replace("\r\n", "\n", StringComparison.Ordinal);
        if (expected == actual)
        {
            return;
        }

        string[] wanted = expected.Split('\n'), got = actual.Split('\n');
        int line = 0;
        while (line < wanted.Length && line < got.Length && wanted[line] == got[line])
        {
            line++;
        }

        string Line(string[] lines) => line < lines.Length ? lines[line] : "(end of file)";
        throw new InvalidOperationException($"{path}:{line + 1} differs.\n  expected: {Line(wanted)}\n  actual:   {Line(got)}");
    }
}
