using System.Globalization;
using System.Net;
using System.Text;

namespace PureSharpQLoRA.Cli.Reporting;

/// <summary>Writes a run as one page that needs nothing beside it.</summary>
internal static class ReportPage
{
    private const string Style = """
        :root { color-scheme: light dark; --text: #1d2129; --soft: #667085; --line: #d9dde5; --page: #ffffff; --panel: #f6f7f9; --main: #2563eb; --other: #d97706; }
        @media (prefers-color-scheme: dark) { :root { --text: #e6e8ec; --soft: #98a2b3; --line: #333a46; --page: #14171c; --panel: #1c2027; --main: #6ea8fe; --other: #f5b352; } }
        body { margin: 0 auto; padding: 2rem 1rem; max-width: 1100px; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
        h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
        .soft, figcaption, .tick { color: var(--soft); } .tick { fill: var(--soft); font-size: 11px; }
        .facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; list-style: none; }
        .facts li { background: var(--panel); border-radius: 8px; padding: .5rem .9rem; } .facts b { display: block; font-size: 1.15rem; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 1rem; }
        figure { margin: 0; background: var(--panel); border-radius: 8px; padding: .75rem; } svg { width: 100%; height: auto; }
        .grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2; } .main { stroke: var(--main); } .other { stroke: var(--other); }
        .dot.main { fill: var(--main); } .dot.other { fill: var(--other); }
        .key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .35em 0 .8em; } .key.main { background: var(--main); } .key.other { background: var(--other); }
        .legend { margin: .25rem 0 0; } table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
        td { overflow-wrap: anywhere; } .sample { white-space: pre-wrap; }
        """;

    public static string Write(Report report)
    {
        var page = new StringBuilder();
        string title = "Training " + report.Model;
        page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n");
        page.Append("<title>").Append(Encode(title)).Append("</title>\n<style>\n").Append(Style).Append("\n</style>\n</head>\n<body>\n");
        page.Append("<h1>").Append(Encode(title)).Append("</h1>\n<p class=\"soft\">").Append(Encode(Ending(report))).Append("</p>\n");
        WriteFacts(page, report);
        page.Append("<h2>Curves</h2>\n<div class=\"charts\">\n");
        page.Append(Chart.Draw("Loss", new("training", "main", report.Metrics.Curve("loss")), new("held out", "other", report.Metrics.Curve("eval_loss")))).Append('\n');
        page.Append(Chart.Draw("Learning rate", new Curve("", "main", report.Metrics.Curve("learning_rate")))).Append('\n');
        page.Append(Chart.Draw("Gradient norm", new Curve("", "main", report.Metrics.Curve("grad_norm")))).Append('\n');
        page.Append(Chart.Draw("Tokens per second", new Curve("", "main", report.Metrics.Curve("tokens_per_second")))).Append("\n</div>\n");
        WriteSamples(page, report.Samples);
        page.Append("<h2>Settings</h2>\n<table>\n");
        foreach ((string name, string value) in report.Settings)
        {
            page.Append("<tr><td>").Append(Encode(name)).Append("</td><td>").Append(Encode(value)).Append("</td></tr>\n");
        }

        return page.Append("</table>\n</body>\n</html>\n").ToString();
    }

    private static string Ending(Report report) => report.Result.End switch
    {
        Training.TrainingEnd.Interrupted => string.Create(CultureInfo.InvariantCulture, $"Interrupted after {report.Result.Steps:#,##0} steps."),
        Training.TrainingEnd.StoppedEarly => string.Create(CultureInfo.InvariantCulture, $"Stopped early after {report.Result.Steps:#,##0} steps."),
        _ => string.Create(CultureInfo.InvariantCulture, $"{report.Result.Steps:#,##0} steps."),
    };

    private static void WriteFacts(StringBuilder page, Report report)
    {
        page.Append("<ul class=\"facts\">\n");
        Fact("last loss", report.Result.LastLoss.ToString("0.0000", CultureInfo.InvariantCulture));
        if (report.Before is { } before)
        {
            Fact("held-out loss before", before.Loss.ToString("0.0000", CultureInfo.InvariantCulture));
            Fact("perplexity before", before.Perplexity.ToString("0.00", CultureInfo.InvariantCulture));
        }

        if (report.Result.Evaluation is { } after)
        {
            Fact("held-out loss after", after.Loss.ToString("0.0000", CultureInfo.InvariantCulture));
            Fact("perplexity after", after.Perplexity.ToString("0.00", CultureInfo.InvariantCulture));
        }

        if (report.Metrics.Curve("tokens_seen") is [.., var tokens])
        {
            Fact("tokens seen", tokens.Value.ToString("#,##0", CultureInfo.InvariantCulture));
        }

        if (report.Metrics.Curve("peak_memory_bytes") is [.., var memory])
        {
            Fact("peak memory", Generators.Parsing.ByteSize.Show((long)memory.Value));
        }

        page.Append("</ul>\n");

        void Fact(string name, string value) => page.Append("<li><span class=\"soft\">").Append(name).Append("</span><b>").Append(value).Append("</b></li>\n");
    }

    private static void WriteSamples(StringBuilder page, IReadOnlyList<Sample> samples)
    {
        if (samples.Count == 0)
        {
            return;
        }

        page.Append("<h2>Samples</h2>\n<table>\n<tr><th>Prompt</th><th>Before</th><th>After</th></tr>\n");
        foreach (Sample sample in samples)
        {
            page.Append("<tr><td class=\"sample\">").Append(Encode(sample.Prompt)).Append("</td><td class=\"sample\">").Append(Encode(sample.Before ?? ""))
                .Append("</td><td class=\"sample\">").Append(Encode(sample.After ?? "")).Append("</td></tr>\n");
        }

        page.Append("</table>\n");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
