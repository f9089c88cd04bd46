using System.Buffers;
using System.Globalization;

namespace PureSharpQLoRA.Text;

/// <summary>The Unicode categories as the Oniguruma release inside Hugging Face's library knows them.</summary>
internal static class OnigurumaCategories
{
    /// <summary>UTF-16 units on which .NET's regular expressions and Oniguruma disagree: halves of astral characters.</summary>
    public static SearchValues<char> Differing { get; } =
        SearchValues.Create(string.Create(0x800, 0, static (span, _) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = (char)(0xD800 + i);
            }
        }));

    public static UnicodeCategory Of(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);
}
