using System.Globalization;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Gemm;
using PureSharpQLoRA.GemmBench;

// dotnet run -c Release --project perf/GemmBench [-- seconds-per-figure [part-of-a-title or attention]]
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
double seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 0.5;
string filter = args.Length > 1 ? args[1] : "";
int[] teams = Environment.ProcessorCount > 1 ? [1, Math.Min(Environment.ProcessorCount, 2)] : [1];
var peaks = new Dictionary<(bool Bf16, int Threads), double>();
foreach (bool bf16 in new[] { false, true })
{
    if (bf16 && !TileKernelBf16.IsSupported)
    {
        continue;
    }

    using var peak = new InstructionPeak(bf16);
    foreach (int threads in teams)
    {
        using var team = new ThreadTeam(threads);
        peaks[(bf16, threads)] = peak.Measure(team, seconds);
        Console.WriteLine($"Peak of {(bf16 ? "vdpbf16ps" : "fp32 FMA")}, {threads} threads: {peaks[(bf16, threads)]:F0} GFLOP/s");
    }
}

Problem[] problems =
[
    new("y", 2048, 288, 768, DataType.Nf4), new("dx", 2048, 288, 768, DataType.Nf4),
    new("y", 2048, 288, 288, DataType.Nf4), new("dx", 2048, 288, 288, DataType.Nf4),
    new("y", 256, 576, 1536, DataType.Nf4), new("dx", 256, 576, 1536, DataType.Nf4),
    new("y", 256, 576, 192, DataType.Nf4), new("dx", 256, 576, 192, DataType.Nf4),
    new("y", 128, 2048, 5632, DataType.Nf4), new("dx", 128, 2048, 5632, DataType.Nf4),
    new("y", 128, 5632, 2048, DataType.Nf4), new("dx", 128, 5632, 2048, DataType.Nf4),
    new("y", 128, 2048, 256, DataType.Nf4), new("dx", 128, 2048, 256, DataType.Nf4),
    new("y", 256, 576, 1536, DataType.Nf4, 16), new("dx", 256, 576, 1536, DataType.Nf4, 16),
    new("y", 2048, 288, 32000, DataType.BFloat16), new("dx", 2048, 288, 32000, DataType.BFloat16),
    new("y", 256, 576, 49152, DataType.BFloat16), new("dx", 256, 576, 49152, DataType.BFloat16),
    new("y", 128, 2048, 5632, DataType.Float32), new("dx", 128, 2048, 5632, DataType.Float32),
    new("y", 2048, 288, 16, DataType.Float32), new("dx", 2048, 16, 768, DataType.Float32),
    new("dW", 2048, 288, 16, DataType.Float32), new("dW", 2048, 16, 768, DataType.Float32),
    new("dW", 2048, 288, 768, DataType.Float32), new("dW", 128, 2048, 5632, DataType.Float32),
    new("y", 1, 2048, 5632, DataType.Nf4), new("y", 4, 2048, 5632, DataType.Nf4), new("y", 1, 288, 32000, DataType.BFloat16),
];
Console.WriteLine();
Console.WriteLine("| product | tokens, inputs, outputs | weight | fp32 1t / 2t | of peak | bf16 1t / 2t | of peak |");
Console.WriteLine("|---|---|---|---|---|---|---|");
foreach (Problem problem in problems)
{
    string row = $"| {problem.Kind} | {problem.Title} | {problem.Weight} |";
    if (!row.Contains(filter, StringComparison.Ordinal))
    {
        continue;
    }

    foreach (bool bf16 in new[] { false, true })
    {
        double[] rates = [.. teams.Select(threads => bf16 && !TileKernelBf16.IsSupported ? 0 : problem.Measure(threads, bf16, seconds))];
        string shares = string.Join(" / ", teams.Select((threads, i) => $"{100 * rates[i] / peaks.GetValueOrDefault((bf16, threads), double.NaN):F0} %"));
        row += $" {string.Join(" / ", rates.Select(rate => rate.ToString("F0", CultureInfo.InvariantCulture)))} | {shares} |";
    }

    Console.WriteLine(row);
}

if ("attention".Contains(filter, StringComparison.Ordinal))
{
    AttentionBench.Run(seconds);
}
