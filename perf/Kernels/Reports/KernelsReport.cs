using System.Globalization;
using System.Text;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Assembly;
using PureSharpQLoRA.Kernels.Cases;
using PureSharpQLoRA.Kernels.Dry;

namespace PureSharpQLoRA.Kernels.Reports;

/// <summary>Writes perf/results/kernels.md: what every kernel takes of a card, what it moves, and what a training step of an 8B model would need.</summary>
internal sealed class KernelsReport(Assembler? assembler, TextWriter progress)
{
    private const int MicroBatches = 4;
    private const int LongRank = 32;
    private const long LongBytes = 15_000_000_000;
    private const double Gigabyte = 1e9;

    private static readonly int[] Targets = [75, 80];

    private readonly StringBuilder _text = new();

    /// <summary>Measures everything and returns the text.</summary>
    public string Create()
    {
        Line($"# Kernels: resources, traffic and estimates");
        Line($"");
        Line($"Written by `dotnet run -c Release --project perf/Kernels -- report`. **Nothing here was measured on a card.** Resources are what ptxas says, traffic is");
        Line($"counted by the PTX machine, which executes the same PTX, and times are arithmetic on both, whose assumptions stand beside them.");
        Line($"");
        var steps = new Dictionary<int, DryStep>();
        var eightBit = new Dictionary<int, DryStep>();
        var longest = new Dictionary<int, (int Kept, int Offloaded)>();
        var catalogue = new Dictionary<int, IReadOnlyList<CompiledKernel>>();
        foreach (int target in Targets)
        {
            progress.WriteLine($"sm_{target}: a step of Llama-3.1-8B");
            using var model = new DryModel(target);
            steps.Add(target, model.Run(new StepSettings(target)));
            eightBit.Add(target, model.Run(new StepSettings(target, EightBitOptimizer: true)));
            progress.WriteLine($"sm_{target}: the longest context");
            longest.Add(target, (model.LongestContext(LongRank, LongBytes, offloading: false), model.LongestContext(LongRank, LongBytes, offloading: true)));
            progress.WriteLine($"sm_{target}: the catalogue");
            catalogue.Add(target, [.. steps[target].Kernels.Union(Catalogue.Of(target))]);
        }

        Memory(steps, eightBit, longest);
        if (assembler is null)
        {
            Line($"ptxas was not found (`tools/fetch-ptxas.sh` fetches it), so resources and estimates are missing.");
            Line($"");
        }
        else
        {
            Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> assembled = AssembleAll(catalogue);
            Steps(steps, assembled);
            InnerLoops(catalogue, assembled);
            Resources(catalogue, assembled);
        }

        TrafficTable();
        return _text.ToString();
    }

    private static string Short(CompiledKernel kernel) => kernel.Key.Name.Replace("JoinedBlocks<", "<", StringComparison.Ordinal);

    private Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> AssembleAll(Dictionary<int, IReadOnlyList<CompiledKernel>> catalogue)
    {
        var work = new List<(CompiledKernel Kernel, int Chip)>();
        foreach (Chip chip in Chip.All)
        {
            work.AddRange(catalogue[chip.PtxTarget].Select(kernel => (kernel, chip.Capability)));
        }

        progress.WriteLine($"ptxas {assembler!.Version}: {work.Count} assemblies");
        var results = new AssembledKernel[work.Count];
        Parallel.For(0, work.Count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i => results[i] = assembler.Assemble(work[i].Kernel, work[i].Chip));
        return work.Zip(results).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    private void Memory(Dictionary<int, DryStep> steps, Dictionary<int, DryStep> eightBit, Dictionary<int, (int Kept, int Offloaded)> longest)
    {
        StepSettings settings = steps[75].Settings;
        Line($"## Memory of a step of Llama-3.1-8B");
        Line($"");
        Line($"The trainer itself, with the real model and backend, on a device that computes nothing and counts what it is asked for: NF4 weights, batch {settings.Batch} x {settings.Length},");
        Line($"r {settings.Rank} on all linear layers, gradient checkpointing, fp32 AdamW. The CUDA context and the driver's own memory (a few hundred MB) are not in it.");
        Line($"");
        Line($"| | T4 (fp16) GB | A100, H100 (bf16) GB |");
        Line($"| --- | ---: | ---: |");
        foreach (MemoryPurpose purpose in Enum.GetValues<MemoryPurpose>())
        {
            Line($"| {purpose}, peak | {steps[75].PurposePeaks[purpose] / Gigabyte:F3} | {steps[80].PurposePeaks[purpose] / Gigabyte:F3} |");
        }

        Line($"| **tensors together, peak** | **{steps[75].PeakBytes / Gigabyte:F3}** | **{steps[80].PeakBytes / Gigabyte:F3}** |");
        Line($"| taken from the device, peak (with cached blocks) | {steps[75].DevicePeakBytes / Gigabyte:F3} | {steps[80].DevicePeakBytes / Gigabyte:F3} |");
        Line($"| tensors together with the 8-bit AdamW | {eightBit[75].PeakBytes / Gigabyte:F3} | {eightBit[80].PeakBytes / Gigabyte:F3} |");
        Line($"| longest context that gets through a step in {LongBytes / Gigabyte:F0} GB, batch 1, r {LongRank} | {longest[75].Kept} tokens | {longest[80].Kept} tokens |");
        Line($"| the same with the inputs of blocks in the host's memory (activation_offloading) | {longest[75].Offloaded} tokens | {longest[80].Offloaded} tokens |");
        Line($"");
    }

    private void Steps(Dictionary<int, DryStep> steps, Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> assembled)
    {
        StepSettings settings = steps[75].Settings;
        Line($"## A training step of Llama-3.1-8B, estimated");
        Line($"");
        Line($"{MicroBatches} micro-batches of {settings.Batch} x {settings.Length} tokens, that is {MicroBatches * settings.Batch} sequences of {settings.Length}, and one update. Every operation takes the longest of: its products at the tensor cores' stated peak");
        Line($"({string.Join(", ", Chip.Estimated.Select(chip => string.Create(CultureInfo.InvariantCulture, $"{chip.Name} {chip.PeakTflops:F0} TFLOPS at {chip.ClockHz / 1e9:F2} GHz")))}) times the share that the inner loop leaves, times the imbalance of the last round of blocks;");
        Line($"its fewest bytes (times {Roofline.TileTraffic} for products) at {100 * Roofline.BandwidthShare:F0} % of the card's bandwidth ({string.Join(", ", Chip.Estimated.Select(chip => string.Create(CultureInfo.InvariantCulture, $"{chip.Bandwidth / 1e9:F0} GB/s")))});");
        Line($"{1e6 * Roofline.LaunchSeconds:F0} µs a launch. *overlapping*: only the busiest unit of a loop counts. *integer after*: no integer work (decoding, addresses) overlaps with the tensor cores. *serial*: no arithmetic at all does.");
        Line($"Not in it: latency that too few warps leave open, clocks that fall with power (a T4 at 70 W holds 1.59 GHz only for a moment), the host, data.");
        Line($"");
        foreach (Chip chip in Chip.Estimated)
        {
            StepTable(chip, steps[chip.PtxTarget], assembled);
        }

        Line($"### Largest products");
        Line($"");
        Line($"The share of the tensor peak that the inner loop leaves, without the imbalance of the last round of blocks; on the H100 of the 63 % of it that mma.sync is taken to reach.");
        Line($"");
        Line($"| product | card | overlapping | integer after | serial |");
        Line($"| --- | --- | ---: | ---: | ---: |");
        foreach (Chip chip in Chip.Estimated)
        {
            foreach (string kind in new[] { "NF4 product forwards", "NF4 product backwards" })
            {
                Operation largest = steps[chip.PtxTarget].Operations.Where(operation => operation.Kind == kind).MaxBy(operation => operation.Flops)!;
                AssembledKernel main = largest.Launches.Select(launch => assembled[(launch.Kernel, chip.Capability)]).MaxBy(kernel => kernel.Code.Count("HMMA"))!;
                if (IssueModel.Of(main, chip) is { } model)
                {
                    Line($"| {kind} {largest.Shape} | {chip.Name} | {100 * model.Overlapping:F1} % | {100 * model.IntegerAfter:F1} % | {100 * model.Serial:F1} % |");
                }
            }
        }

        Line($"");
    }

    private void StepTable(Chip chip, DryStep step, Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> assembled)
    {
        var roofline = new Roofline(chip, step.Kernels.ToDictionary(kernel => kernel, kernel => assembled[(kernel, chip.Capability)]));
        Line($"### {chip.Name}");
        Line($"");
        Line($"| operation | calls | launches | TFLOP | GB | ms, overlapping | ms, integer after | ms, serial |");
        Line($"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        Estimate total = default;
        double flops = 0;
        int launches = 0;
        foreach (IGrouping<string, Operation> kind in step.Operations.GroupBy(operation => operation.Kind))
        {
            int times = kind.Key is "AdamW" or "gradient norm" ? 1 : MicroBatches;
            Estimate time = times * kind.Aggregate(default(Estimate), (sum, operation) => sum + roofline.Of(operation));
            int count = times * kind.Sum(operation => operation.Launches.Count);
            double work = times * kind.Sum(operation => operation.Flops) / 1e12;
            Line($"| {kind.Key} | {times * kind.Count()} | {count} | {work:F1} | {times * kind.Sum(operation => operation.Bytes) / Gigabyte:F1} | {1e3 * time.Overlapping:F1} | {1e3 * time.IntegerAfter:F1} | {1e3 * time.Serial:F1} |");
            (total, flops, launches) = (total + time, flops + work, launches + count);
        }

        double sequences = MicroBatches * step.Settings.Batch, tokens = MicroBatches * step.Settings.Tokens;
        Line($"| **step of {sequences} sequences** | | {launches} | {flops:F1} | | **{1e3 * total.Overlapping:F0}** | **{1e3 * total.IntegerAfter:F0}** | **{1e3 * total.Serial:F0}** |");
        Line($"| tokens/s | | | | | {tokens / total.Overlapping:F0} | {tokens / total.IntegerAfter:F0} | {tokens / total.Serial:F0} |");
        Line($"");
    }

    private void InnerLoops(Dictionary<int, IReadOnlyList<CompiledKernel>> catalogue, Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> assembled)
    {
        Line($"## Inner loops of the products");
        Line($"");
        Line($"Cycles of one scheduler for a warp's pass through the loop with the most tensor-core instructions, and the share of the tensor peak that leaves.");
        Line($"");
        Line($"| kernel | card | instructions | HMMA | LDSM | tensor | integer | fp32 | special | shared | warps a scheduler | overlapping | integer after | serial |");
        Line($"| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (Chip chip in Chip.Estimated)
        {
            foreach (CompiledKernel kernel in catalogue[chip.PtxTarget])
            {
                AssembledKernel machine = assembled[(kernel, chip.Capability)];
                if (IssueModel.Of(machine, chip) is { } m)
                {
                    double warps = chip.ResidentBlocks(machine) * kernel.Key.Threads / 32 / 4.0;
                    Line($"| {Short(kernel)} | {chip.Name} | {m.Instructions} | {m.Products} | {m.MatrixLoads} | {m.Tensor:F0} | {m.Integer:F0} | {m.Float:F0} | {m.Special:F0} | {m.Shared:F0} | {warps:F1} | {100 * m.Overlapping:F0} % | {100 * m.IntegerAfter:F0} % | {100 * m.Serial:F0} % |");
                }
            }
        }

        Line($"");
    }

    private void Resources(Dictionary<int, IReadOnlyList<CompiledKernel>> catalogue, Dictionary<(CompiledKernel Kernel, int Chip), AssembledKernel> assembled)
    {
        List<AssembledKernel> unclean = [.. assembled.Values.Where(kernel => !kernel.IsClean)];
        Line($"## Resources");
        Line($"");
        Line($"ptxas {assembler!.Version}, {assembled.Count} assemblies of {catalogue.Values.Sum(kernels => kernels.Count)} kernels. Spills, stack, local memory or calls: {(unclean.Count == 0 ? "none in any." : $"in {unclean.Count}, see the column.")}");
        Line($"Registers and occupancy (warps resident of those possible) for sm_75, or sm_80 / 86 / 90.");
        Line($"");
        Line($"| kernel | target | threads | registers | shared | HMMA | LDSM | occupancy % | spill, stack, local, calls |");
        Line($"| --- | --- | ---: | --- | ---: | ---: | ---: | --- | --- |");
        foreach (int target in Targets)
        {
            Chip[] chips = [.. Chip.All.Where(chip => chip.PtxTarget == target)];
            foreach (CompiledKernel kernel in catalogue[target])
            {
                AssembledKernel[] on = [.. chips.Select(chip => assembled[(kernel, chip.Capability)])];
                string occupancy = string.Join(" / ", chips.Zip(on).Select(pair => 100 * pair.First.ResidentBlocks(pair.Second) * ((kernel.Key.Threads + 31) / 32) / pair.First.Warps));
                string faults = string.Join("; ", on.Where(each => !each.IsClean).Select(each => $"sm_{each.Chip}: {each.SpillBytes}, {each.StackBytes}, {each.LocalAccesses}, {each.Calls}"));
                Line($"| {Short(kernel)} | sm_{target} | {kernel.Key.Threads} | {string.Join(" / ", on.Select(each => each.Registers))} | {on[0].SharedBytes} | {on[0].Code.Count("HMMA")} | {on[0].Code.Count("LDSM")} | {occupancy} | {(faults.Length == 0 ? "none" : faults)} |");
            }
        }

        Line($"");
    }

    private void TrafficTable()
    {
        Line($"## Traffic");
        Line($"");
        Line($"Counted by the PTX machine: the 32-byte sectors of every warp's access, so what asks the first cache, against the fewest bytes (every operand once). What tiles read");
        Line($"again mostly hits a cache on a card. Bank conflicts are passes of shared memory beyond the fewest.");
        Line($"");
        Line($"| operation | sm | kernels | fewest bytes | sectors x 32 | ratio | sectors used | bank conflicts | mma |");
        Line($"| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (int target in Targets)
        {
            progress.WriteLine($"sm_{target}: traffic");
            foreach (Traffic t in Traffic.Count(target))
            {
                Line($"| {t.Case} | {target} | {t.Kernels.Replace("JoinedBlocks<", "<", StringComparison.Ordinal)} | {t.FewestBytes} | {t.SectorBytes} | {(double)t.SectorBytes / t.FewestBytes:F2} | {100 * t.SectorUse:F0} % | {t.Conflicts} | {t.Products} |");
            }
        }

        Line($"");
    }

    private void Line(FormattableString text) => _text.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
