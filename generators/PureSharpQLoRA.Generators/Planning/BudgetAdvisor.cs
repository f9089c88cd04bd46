using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Says why a model does not fit in a budget, and what would make it fit.</summary>
internal static class BudgetAdvisor
{
    private const int ShownRows = 3;

    /// <summary>The warning's text, or null where the plan fits.</summary>
    public static string? Check(ModelSpec spec, string model, PlanOptions options, long budget)
    {
        MemoryPlan plan = MemoryPlanner.Plan(spec, options);
        if (plan.TotalBytes <= budget)
        {
            return null;
        }

        IEnumerable<string> largest = plan.Rows.OrderByDescending(row => row.Bytes).Take(ShownRows).Select(row => $"{row.Name} {ByteSize.Show(row.Bytes)}");
        return $"{model} needs {ByteSize.Show(plan.TotalBytes)}, but VramBudget is {ByteSize.Show(budget)}; "
            + $"largest are {string.Join(", ", largest)}; {Advice(spec, options, budget)}";
    }

    private static string Advice(ModelSpec spec, PlanOptions options, long budget)
    {
        List<string> alone = [];
        List<string> together = [];
        PlanOptions smallest = options;
        foreach ((string setting, PlanOptions changed, PlanOptions accumulated) in Changes(spec, options, budget))
        {
            long bytes = MemoryPlanner.Plan(spec, changed).TotalBytes;
            if (bytes <= budget)
            {
                alone.Add($"{setting} ({ByteSize.Show(bytes)})");
            }

            together.Add(setting);
            smallest = accumulated;
            if (alone.Count == 0 && MemoryPlanner.Plan(spec, accumulated).TotalBytes <= budget)
            {
                return $"it fits with {string.Join(", ", together)} ({ByteSize.Show(MemoryPlanner.Plan(spec, accumulated).TotalBytes)})";
            }
        }

        if (alone.Count > 0)
        {
            return $"it fits with {string.Join(", or ", alone)}";
        }

        int longest = MemoryPlanner.LongestContext(spec, smallest, budget);
        string rest = together.Count > 0 ? $" with {string.Join(", ", together)}" : "";
        return longest > 0
            ? $"it fits{rest} and TokensPerStep=\"{longest}\""
            : $"it does not fit at any length{rest}: choose a smaller model or a larger budget";
    }

    /// <summary>Each change by itself, and together with all before it; the mildest first.</summary>
    private static IEnumerable<(string Setting, PlanOptions Changed, PlanOptions Accumulated)> Changes(ModelSpec spec, PlanOptions options, long budget)
    {
        PlanOptions accumulated = options;
        if (options.Checkpointing == Checkpointing.None)
        {
            accumulated = accumulated with { Checkpointing = Checkpointing.Full };
            yield return ("GradientCheckpointing=\"true\"", options with { Checkpointing = Checkpointing.Full }, accumulated);
        }

        if (!options.DoubleQuantization)
        {
            accumulated = accumulated with { DoubleQuantization = true };
            yield return ("DoubleQuantization=\"true\"", options with { DoubleQuantization = true }, accumulated);
        }

        if (options.Rank > 8)
        {
            accumulated = accumulated with { Rank = 8 };
            yield return ("Rank=\"8\"", options with { Rank = 8 }, accumulated);
        }

        int shorter = MemoryPlanner.LongestContext(spec, options, budget);
        if (shorter > 0)
        {
            yield return ($"TokensPerStep=\"{shorter}\"", options with { Length = shorter }, accumulated with { Length = shorter });
        }
    }
}
