using System.Globalization;
using System.Net;
using System.Text;

namespace PureSharpQLoRA.Cli.Reporting;

/// <summary>A curve of a chart.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Class">Its style in the page.</param>
/// <param name="Points">Step and value.</param>
internal sealed record Curve(string Name, string Class, IReadOnlyList<(double Step, double Value)> Points);

/// <summary>Draws curves over steps as SVG.</summary>
internal static class Chart
{
    private const double Width = 640, Height = 260, Left = 64, Right = 16, Top = 16, Bottom = 36;

    /// <summary>The picture, or "" where there is no point to draw.</summary>
    public static string Draw(string title, params IReadOnlyList<Curve> curves)
    {
        (double Step, double Value)[] all = [.. curves.SelectMany(curve => curve.Points).Where(point => double.IsFinite(point.Value))];
        if (all.Length == 0)
        {
            return "";
        }

        (double firstStep, double lastStep) = Widen(all.Min(point => point.Step), all.Max(point => point.Step));
        (double low, double high) = Widen(all.Min(point => point.Value), all.Max(point => point.Value));
        double X(double step) => Left + ((step - firstStep) / (lastStep - firstStep) * (Width - Left - Right));
        double Y(double value) => Height - Bottom - ((value - low) / (high - low) * (Height - Top - Bottom));
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{WebUtility.HtmlEncode(title)}</figcaption><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{WebUtility.HtmlEncode(title)} over steps\">");
        foreach (double value in Ticks(low, high))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(value):0.#}\" y2=\"{Y(value):0.#}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 8}\" y=\"{Y(value) + 4:0.#}\">{Short(value)}</text>");
        }

        foreach (double step in Ticks(firstStep, lastStep))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" text-anchor=\"middle\" x=\"{X(step):0.#}\" y=\"{Height - Bottom + 18}\">{Short(step)}</text>");
        }

        foreach (Curve curve in curves.Where(curve => curve.Points.Count > 0))
        {
            string points = string.Join(' ', curve.Points.Where(point => double.IsFinite(point.Value))
                .Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.Step):0.##},{Y(point.Value):0.##}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline class=\"curve {curve.Class}\" points=\"{points}\"/>");
            if (curve.Points.Count <= 30)
            {
                foreach ((double step, double value) in curve.Points)
                {
                    svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot {curve.Class}\" cx=\"{X(step):0.##}\" cy=\"{Y(value):0.##}\" r=\"2.5\"><title>step {step}: {Short(value)}</title></circle>");
                }
            }
        }

        svg.Append("</svg>");
        if (curves.Count(curve => curve.Points.Count > 0) > 1)
        {
            svg.Append("<p class=\"legend\">").AppendJoin(" ", curves.Where(curve => curve.Points.Count > 0)
                .Select(curve => $"<span class=\"key {curve.Class}\"></span>{WebUtility.HtmlEncode(curve.Name)}")).Append("</p>");
        }

        return svg.Append("</figure>").ToString();
    }

    private static (double Low, double High) Widen(double low, double high) => high > low ? (low, high) : (low - Math.Max(1e-9, Math.Abs(low) * 0.1), high + Math.Max(1e-9, Math.Abs(high) * 0.1));

    /// <summary>Round numbers between two values: steps of 1, 2 or 5 times a power of ten.</summary>
    private static IEnumerable<double> Ticks(double low, double high)
    {
        double raw = (high - low) / 5, power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
        for (double i = Math.Ceiling(low / step); i * step <= high; i++)
        {
            yield return i * step;
        }
    }

    private static string Short(double value) => Math.Abs(value) is < 1e-3 and > 0
        ? value.ToString("0.##e+0", CultureInfo.InvariantCulture)
        : value.ToString("#,##0.###", CultureInfo.InvariantCulture);
}
