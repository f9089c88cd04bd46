using System.Globalization;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>C# literals.</summary>
internal static class Literal
{
    /// <summary>The shortest float literal that reads back as the same float: 1e-5f, 10000f.</summary>
    public static string Float(double value)
    {
        float single = (float)value;
        string text = single.ToString("R", CultureInfo.InvariantCulture);
        int exponent = text.IndexOf('E');
        if (exponent >= 0)
        {
            int power = int.Parse(text.Substring(exponent + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            bool isShortWhole = power is > 0 and < 16 && single == Math.Floor(single);
            text = isShortWhole ? ((double)single).ToString("F0", CultureInfo.InvariantCulture) : text.Substring(0, exponent) + "e" + Number(power);
        }

        return text + "f";
    }

    /// <summary>A number with thousands separated by underscores: 1_034_420_224.</summary>
    public static string Long(long value) => value.ToString("#,##0", CultureInfo.InvariantCulture).Replace(',', '_');

    public static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    public static string Boolean(bool value) => value ? "true" : "false";

    /// <summary>A quoted string.</summary>
    public static string String(string value) => Microsoft.CodeAnalysis.CSharp.SymbolDisplay.FormatLiteral(value, quote: true);
}
