using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's strftime in the C locale.</summary>
internal static class Strftime
{
    public static string Format(DateTimeOffset time, string format)
    {
        var result = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                result.Append(format[at]);
                continue;
            }

            char kind = format[++at];
            bool unpadded = kind == '-' && at + 1 < format.Length;
            string part = Part(time, unpadded ? format[++at] : kind);
            result.Append(unpadded && part.Length > 1 ? part.TrimStart('0').PadLeft(1, '0') : part);
        }

        return result.ToString();
    }

    private static string Part(DateTimeOffset time, char kind) => kind switch
    {
        'a' => Text(time, "ddd"),
        'A' => Text(time, "dddd"),
        'b' or 'h' => Text(time, "MMM"),
        'B' => Text(time, "MMMM"),
        'c' => Text(time, "ddd MMM ") + time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + Text(time, " HH:mm:ss yyyy"),
        'C' => Number(time.Year / 100, 2),
        'd' => Number(time.Day, 2),
        'D' or 'x' => Text(time, "MM/dd/yy"),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'f' => Number(time.Microsecond + (time.Millisecond * 1000), 6),
        'F' => Text(time, "yyyy-MM-dd"),
        'G' => ISOWeek.GetYear(time.DateTime).ToString(CultureInfo.InvariantCulture),
        'H' => Number(time.Hour, 2),
        'I' => Number(((time.Hour + 11) % 12) + 1, 2),
        'j' => Number(time.DayOfYear, 3),
        'm' => Number(time.Month, 2),
        'M' => Number(time.Minute, 2),
        'n' => "\n",
        'p' => time.Hour < 12 ? "AM" : "PM",
        'R' => Text(time, "HH:mm"),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'S' => Number(time.Second, 2),
        't' => "\t",
        'T' or 'X' => Text(time, "HH:mm:ss"),
        'u' => Number(time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek, 1),
        'U' => Number((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2),
        'V' => Number(ISOWeek.GetWeekOfYear(time.DateTime), 2),
        'w' => Number((int)time.DayOfWeek, 1),
        'W' => Number((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7, 2),
        'y' => Number(time.Year % 100, 2),
        'Y' => time.Year.ToString(CultureInfo.InvariantCulture),

        // Python's now() knows no zone.
        'z' or 'Z' => "",
        '%' => "%",
        _ => "%" + kind,
    };

    private static string Text(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);

    private static string Number(int value, int digits) => value.ToString(new string('0', digits), CultureInfo.InvariantCulture);
}
