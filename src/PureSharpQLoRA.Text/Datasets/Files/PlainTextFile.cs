using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Documents of plain text, separated by one or more blank lines.</summary>
internal static class PlainTextFile
{
    public static IEnumerable<string> Read(string file)
    {
        var document = new StringBuilder();
        foreach ((string line, _) in TextLines.Read(file))
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                document.Append(document.Length == 0 ? "" : "\n").Append(line);
            }
            else if (document.Length > 0)
            {
                yield return document.ToString();
                document.Clear();
            }
        }

        if (document.Length > 0)
        {
            yield return document.ToString();
        }
    }
}
