using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Kernels.Assembly;

/// <summary>
/// NVIDIA's assembler and disassembler. They are found in a given folder, in the one that PURESHARP_PTXAS names, or on the PATH. What they say is kept in the
/// system's temporary folder, by the PTX, so that only kernels that changed are assembled again.
/// </summary>
internal sealed partial class Assembler
{
    /// <summary>Names the folder with ptxas and cuobjdump.</summary>
    public const string Variable = "PURESHARP_PTXAS";

    private readonly string _ptxas;
    private readonly string _cuobjdump;
    private readonly string _kept = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "puresharp-sass")).FullName;

    private Assembler(string folder)
    {
        (_ptxas, _cuobjdump) = (Path.Combine(folder, "ptxas"), Path.Combine(folder, "cuobjdump"));
        Version = Release().Match(Run(_ptxas, ["--version"]).Output).Groups[1].Value;
    }

    /// <summary>The release, as "11.8".</summary>
    public string Version { get; }

    /// <summary>The assembler, or null where there is none.</summary>
    public static Assembler? Find(string? folder = null)
    {
        string? chosen = folder ?? Environment.GetEnvironmentVariable(Variable);
        IEnumerable<string> folders = chosen is not null ? [chosen] : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        string? found = folders.FirstOrDefault(place => File.Exists(Path.Combine(place, "ptxas")) && File.Exists(Path.Combine(place, "cuobjdump")));
        return found is null ? null : new Assembler(found);
    }

    /// <summary>Assembles a kernel for a chip.</summary>
    /// <param name="kernel">Its PTX.</param>
    /// <param name="chip">75, 80, 86 or 90.</param>
    /// <exception cref="InvalidOperationException">ptxas refuses it.</exception>
    public AssembledKernel Assemble(CompiledKernel kernel, int chip)
    {
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Version} sm_{chip}\n{kernel.Ptx}")));
        string log = Path.Combine(_kept, $"{key}.log"), sass = Path.Combine(_kept, $"{key}.sass");
        if (!File.Exists(sass))
        {
            AssembleNew(kernel, chip, log, sass);
        }

        string report = File.ReadAllText(log);
        return new AssembledKernel(
            kernel, chip, Number(report, UsedRegisters()), Number(report, SharedBytes()), Number(report, SpillStores()) + Number(report, SpillLoads()),
            Number(report, StackFrame()), SassListing.Parse(File.ReadAllText(sass)));
    }

    private void AssembleNew(CompiledKernel kernel, int chip, string log, string sass)
    {
        string folder = Directory.CreateTempSubdirectory("puresharp-ptxas-").FullName;
        try
        {
            string source = Path.Combine(folder, "kernel.ptx"), binary = Path.Combine(folder, "kernel.cubin"), listing = Path.Combine(folder, "kernel.sass");
            File.WriteAllText(source, kernel.Ptx);
            (int code, string report) = Run(_ptxas, ["-v", $"-arch=sm_{chip}", source, "-o", binary]);
            if (code != 0)
            {
                throw new InvalidOperationException($"ptxas refuses {kernel.Key.Name} for sm_{chip}: {report.Trim()}");
            }

            File.WriteAllText(log, report);
            // The machine code is read for its inner loop of products; of the other kernels the log says enough.
            File.WriteAllText(listing, kernel.Ptx.Contains("mma.sync", StringComparison.Ordinal) ? Run(_cuobjdump, ["-sass", binary]).Output : "");
            File.Move(listing, sass, overwrite: true);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int Number(string text, Regex pattern) =>
        pattern.Match(text) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 0;

    private static (int Code, string Output) Run(string program, IEnumerable<string> arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    [GeneratedRegex(@"release (\d+\.\d+)")]
    private static partial Regex Release();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex UsedRegisters();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex SharedBytes();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex SpillStores();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex SpillLoads();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex StackFrame();
}
