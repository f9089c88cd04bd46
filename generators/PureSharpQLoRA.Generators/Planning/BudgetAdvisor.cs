using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Says why a model does not fit in a budget, and what would make it fit.</summary>
internal static class BudgetAdvisor
{
    private const int ShownRows = 3;
    private const int LowRank = 8;

    // Shorter steps are advised only together with everything else.
    private const int ShortestAdvice = 256;

    /// <summary>The warning's text, or null where the plan fits.</summary>
    public static string? Check(ModelSpec spec, string model, PlanOptions options, long budget)
    {
        MemoryPlan plan = MemoryPlanner.Plan(spec, options);
        if (plan.TotalBytes <= budget)
        {
            return null;
        }

        IEnumerable<string> largest = plan.Rows.OrderByDescending(row => row.Bytes).Take(ShownRows).Select(row => $"{row.Name} {ByteSize.Show(row.Bytes)}");
        return $"{model} needs {ByteSize.Show(plan.TotalBytes)} for {options.Tokens} tokens at rank {options.Rank}, but VramBudget is {ByteSize.Show(budget)}; "
            + $"largest are {string.Join(", ", largest)}; {Advice(spec, options, budget)}";
    }

    private static string Advice(ModelSpec spec, PlanOptions options, long budget)
    {
        List<(string Setting, Func<PlanOptions, PlanOptions> Change)> changes = Changes(options);
        List<string> ways = [];
        foreach ((string setting, Func<PlanOptions, PlanOptions> change) in changes)
        {
            AddIfFits(setting, change(options));
        }

        int shorter = MemoryPlanner.LongestContext(spec, options, budget);
        if (shorter >= ShortestAdvice)
        {
            AddIfFits(LengthSetting(shorter), options with { Length = shorter });
        }

        if (ways.Count > 0)
        {
            return "it fits with " + string.Join(", or with ", ways);
        }

        // No change does it alone: add them up, the mildest first, and shorten at last.
        PlanOptions smallest = options;
        List<string> settings = [];
        foreach ((string setting, Func<PlanOptions, PlanOptions> change) in changes)
        {
            smallest = change(smallest);
            settings.Add(setting);
            AddIfFits(string.Join(" and ", settings), smallest);
            if (ways.Count > 0)
            {
                return "it fits with " + ways[0];
            }
        }

        shorter = MemoryPlanner.LongestContext(spec, smallest, budget);
        settings.Add(LengthSetting(shorter));
        return shorter > 0
            ? "it fits with " + string.Join(" and ", settings)
            : "it fits at no length, rank or checkpointing: choose a smaller model or a larger budget";

        void AddIfFits(string setting, PlanOptions changed)
        {
            long bytes = MemoryPlanner.Plan(spec, changed).TotalBytes;
            if (bytes <= budget)
            {
                ways.Add($"{setting} ({ByteSize.Show(bytes)})");
            }
        }
    }

    private static List<(string Setting, Func<PlanOptions, PlanOptions> Change)> Changes(PlanOptions options)
    {
        List<(string, Func<PlanOptions, PlanOptions>)> changes = [];
        if (options.Checkpointing == Checkpointing.None)
        {
            changes.Add(("GradientCheckpointing=\"true\"", old => old with { Checkpointing = Checkpointing.Full }));
        }

        if (options.Rank > LowRank)
        {
            changes.Add(($"Rank=\"{LowRank}\"", old => old with { Rank = LowRank }));
        }

        return changes;
    }

    private static string LengthSetting(int tokens) => $"TokensPerStep=\"{tokens}\"";
}
