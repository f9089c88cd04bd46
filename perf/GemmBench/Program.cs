using System.Globalization;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Gemm;
using PureSharpQLoRA.GemmBench;

// dotnet run -c Release --project perf/GemmBench [-- seconds-per-figure [part-of-a-row, or attention, or "" [rounds]]]
// Every figure is the best of all rounds, since other programs may take a core away for a while.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
double seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 0.3;
string filter = args.Length > 1 ? args[1] : "";
int rounds = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 1;
if (filter == "attention")
{
    AttentionBench.Run(seconds);
    return;
}

int[] teams = Environment.ProcessorCount > 1 ? [1, 2] : [1];
bool[] types = TileKernelBf16.IsSupported ? [false, true] : [false];

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
    new("y", 128, 288, 32000, DataType.BFloat16), new("dx", 128, 288, 32000, DataType.BFloat16),
    new("y", 256, 576, 49152, DataType.BFloat16), new("dx", 256, 576, 49152, DataType.BFloat16),
    new("y", 128, 2048, 5632, DataType.Float32), new("dx", 128, 2048, 5632, DataType.Float32),
    new("y", 2048, 288, 16, DataType.Float32), new("dx", 2048, 16, 768, DataType.Float32),
    new("dW", 2048, 288, 16, DataType.Float32), new("dW", 2048, 16, 768, DataType.Float32),
    new("dW", 2048, 288, 768, DataType.Float32), new("dW", 128, 2048, 5632, DataType.Float32),
    new("y", 1, 2048, 5632, DataType.Nf4), new("y", 4, 2048, 5632, DataType.Nf4), new("y", 1, 288, 32000, DataType.BFloat16),
];
problems = [.. problems.Where(problem => problem.Row.Contains(filter, StringComparison.Ordinal))];
var peaks = new Dictionary<(bool Bf16, int Threads), double>();
var rates = new Dictionary<(Problem Problem, bool Bf16, int Threads), double>();
for (int round = 0; round < rounds; round++)
{
    foreach (bool bf16 in types)
    {
        foreach (int threads in teams)
        {
            using var peak = new InstructionPeak(bf16);
            using var team = new ThreadTeam(threads);
            peaks[(bf16, threads)] = Math.Max(peaks.GetValueOrDefault((bf16, threads)), peak.Measure(team, seconds));
            foreach (Problem problem in problems)
            {
                var cell = (problem, bf16, threads);
                rates[cell] = Math.Max(rates.GetValueOrDefault(cell), problem.Measure(threads, bf16, seconds));
            }
        }
    }
}

string header = string.Join(" | ", types.Select(bf16 => $"{(bf16 ? "bf16" : "fp32")}, {string.Join(" / ", teams)} threads | of peak"));
Console.WriteLine($"| product | tokens, inputs, outputs | weight | {header} |");
Console.WriteLine($"|---|---|---|{string.Concat(types.Select(_ => "---|---|"))}");
Console.WriteLine($"| peak | | | {string.Join(" | ", types.Select(bf16 => $"{Join(threads => $"{peaks[(bf16, threads)]:F0}")} |"))} |");
foreach (Problem problem in problems)
{
    IEnumerable<string> cells = types.Select(bf16 =>
        $"{Join(threads => $"{rates[(problem, bf16, threads)]:F0}")} | {Join(threads => $"{100 * rates[(problem, bf16, threads)] / peaks[(bf16, threads)]:F0} %")}");
    Console.WriteLine($"{problem.Row} {string.Join(" | ", cells)} |");
}

string Join(Func<int, string> cell) => string.Join(" / ", teams.Select(cell));
