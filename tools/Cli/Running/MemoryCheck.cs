using System.Globalization;
using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Holds a run's memory plan against a card before anything is loaded, and says what would fit.</summary>
internal static class MemoryCheck
{
    private const int ShownRows = 3;

    // Nobody is helped by shorter sequences than these.
    private const int ShortestAdvice = 64;

    /// <exception cref="CliException">The run does not fit.</exception>
    public static void Require(ModelSpec spec, PlanOptions options, string card, long freeBytes)
    {
        MemoryPlan plan = MemoryPlanner.Plan(spec, options);
        if (plan.TotalBytes <= freeBytes)
        {
            return;
        }

        IEnumerable<string> largest = plan.Rows.OrderByDescending(row => row.Bytes).Take(ShownRows)
            .Select(row => $"{row.Name.ToLowerInvariant()} {ByteSize.Show(row.Bytes)}");
        throw new CliException(string.Create(CultureInfo.InvariantCulture, $"The run needs {ByteSize.Show(plan.TotalBytes)} for {options.Tokens:#,##0} tokens a pass, but {card} has {ByteSize.Show(freeBytes)} free; ")
            + $"largest are {string.Join(", ", largest)}. {Advice(spec, options, freeBytes)}");
    }

    private static string Advice(ModelSpec spec, PlanOptions options, long budget)
    {
        (string Setting, Func<PlanOptions, PlanOptions> Change)[] changes =
        [
            ($"--{TrainOptions.Checkpointing}", old => old with { Checkpointing = Checkpointing.Full }),
            ($"--{TrainOptions.Batch} 1", old => old with { Batch = 1 }),
            ($"--{CommonOptions.LoadIn4Bit}", old => old.Method == TrainingMethod.Lora ? old with { Method = TrainingMethod.QLora } : old),
        ];
        PlanOptions smaller = options;
        List<string> settings = [];
        foreach ((string setting, Func<PlanOptions, PlanOptions> change) in changes)
        {
            PlanOptions changed = change(smaller);
            if (changed == smaller)
            {
                continue;
            }

            smaller = changed;
            settings.Add(setting);
            if (MemoryPlanner.Plan(spec, smaller).TotalBytes <= budget)
            {
                return $"It fits with {string.Join(" and ", settings)}.";
            }
        }

        int shorter = MemoryPlanner.LongestContext(spec, smaller, budget);
        settings.Add(string.Create(CultureInfo.InvariantCulture, $"--{TrainOptions.Length} {shorter}"));
        return shorter >= ShortestAdvice ? $"It fits with {string.Join(" and ", settings)}." : "It fits with no setting: use a smaller model, a larger card, or --device cpu.";
    }
}
