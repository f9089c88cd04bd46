using System.CommandLine;
using System.Text.RegularExpressions;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Assembly;
using PureSharpQLoRA.Kernels.Cases;
using PureSharpQLoRA.Kernels.Dry;
using PureSharpQLoRA.Kernels.Reports;

var architecture = new Option<string>("--arch") { Description = "sm_75 or sm_80 (which serves everything newer)", DefaultValueFactory = _ => "sm_75" };
architecture.AcceptOnlyFromAmong("sm_75", "sm_80");
var folder = new Option<string>("--output") { Description = "the folder that gets a file per kernel", Required = true };
var ptx = new Command("ptx", "Writes the PTX of every kernel.") { architecture, folder };
ptx.SetAction(parsed =>
{
    int target = int.Parse(parsed.GetValue(architecture)!.AsSpan(3), System.Globalization.CultureInfo.InvariantCulture);
    string to = parsed.GetValue(folder)!;
    Directory.CreateDirectory(to);
    IReadOnlyList<CompiledKernel> kernels = [.. DryStep.Run(new StepSettings(target)).Kernels.Union(Catalogue.Of(target))];
    for (int i = 0; i < kernels.Count; i++)
    {
        string name = Regex.Replace(kernels[i].Key.Name, "[^A-Za-z0-9]+", "_").Trim('_');
        File.WriteAllText(Path.Combine(to, $"{i:000}_{name[..Math.Min(name.Length, 120)]}_{kernels[i].Key.Threads}.ptx"), kernels[i].Ptx);
    }

    Console.WriteLine($"{kernels.Count} kernels for sm_{target} in {to}");
});

var ptxas = new Option<string?>("--ptxas") { Description = $"the folder with ptxas and cuobjdump; otherwise {Assembler.Variable} or the PATH" };
var output = new Option<string>("--output") { Description = "the file to write", DefaultValueFactory = _ => "perf/results/kernels.md" };
var report = new Command("report", "Assembles every kernel, counts its traffic, estimates a training step, and writes it all down.") { ptxas, output };
report.SetAction(parsed =>
{
    string? named = parsed.GetValue(ptxas);
    Assembler? assembler = Assembler.Find(named);
    if (named is not null && assembler is null)
    {
        Console.Error.WriteLine($"No ptxas and cuobjdump in {named}; tools/fetch-ptxas.sh fetches them.");
        return 1;
    }

    string text = new KernelsReport(assembler, Console.Out).Create();
    string path = parsed.GetValue(output)!;
    File.WriteAllText(path, text);
    Console.WriteLine($"{path}: {text.Length} characters");
    return 0;
});

return new RootCommand("The kernels of the CUDA backend: their PTX, and what is known of them without a card.") { ptx, report }.Parse(args).Invoke();
