using System.Globalization;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>Sizes such as 16GiB, 24 GB, 8192MiB or a plain number of bytes.</summary>
public static class ByteSize
{
    private static readonly (string Suffix, double Bytes)[] Units =
    [
        ("KiB", 1024.0), ("MiB", 1024.0 * 1024), ("GiB", 1024.0 * 1024 * 1024), ("TiB", 1024.0 * 1024 * 1024 * 1024),
        ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ];

    /// <summary>Whether <paramref name="text"/> is a size above zero.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        string number = text.Trim();
        double scale = 1;
        foreach ((string suffix, double unit) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                number = number.Substring(0, number.Length - suffix.Length).TrimEnd();
                scale = unit;
                break;
            }
        }

        bytes = 0;
        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) || value * scale is < 1 or > 1e18)
        {
            return false;
        }

        bytes = (long)(value * scale);
        return true;
    }

    /// <summary>A size for people: 512 B, 3.4 MiB, 5.6 GiB.</summary>
    public static string Show(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < 4)
        {
            value /= 1024;
            unit++;
        }

        string name = unit == 0 ? "B" : Units[unit - 1].Suffix;
        return value.ToString(unit == 0 ? "0" : "#,##0.0", CultureInfo.InvariantCulture) + " " + name;
    }
}
