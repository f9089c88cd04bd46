using System.Diagnostics;
using System.Reflection;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Testing;

/// <summary>
/// Runs test classes of the running test program once more, in a process that lacks some vector instructions, so that the paths for lesser
/// processors are tested on a better one.
/// </summary>
public static class FallbackRun
{
    private const string Marker = "PURESHARP_FALLBACK_RUN";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Whether this process is such a run.</summary>
    public static bool IsNested => Environment.GetEnvironmentVariable(Marker) is not null;

    /// <summary>Runs the tests of the classes without the instructions of <paramref name="level"/> (AVX512, AVX2 or HWIntrinsic); throws with the output if any fails.</summary>
    public static void Run(string level, params Type[] testClasses)
    {
        var start = new ProcessStartInfo { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The path of the test program is unknown.");
        start.FileName = program;
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        }

        foreach (Type testClass in testClasses)
        {
            start.ArgumentList.Add("--filter-class");
            start.ArgumentList.Add(testClass.FullName!);
        }

        start.Environment[Marker] = level;
        start.Environment[$"DOTNET_Enable{level}"] = "0";
        if (level == "AVX512")
        {
            // The name that runtimes before .NET 10 know.
            start.Environment["DOTNET_EnableAVX512F"] = "0";
        }

        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"The tests without {level} took longer than {Patience}.");
        }

        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"The tests without {level} failed ({process.ExitCode}):\n{output.Result}{errors.Result}");
        }
    }

    /// <summary>Throws in a nested run that has the instructions it should lack, so that it cannot pass for nothing.</summary>
    public static void CheckInstructions()
    {
        bool present = Environment.GetEnvironmentVariable(Marker) switch
        {
            "AVX512" => Vector512.IsHardwareAccelerated || Avx512F.IsSupported,
            "AVX2" => Vector512.IsHardwareAccelerated || Avx2.IsSupported,
            "HWIntrinsic" => Vector256.IsHardwareAccelerated || Avx2.IsSupported || X86Base.IsSupported,
            _ => false,
        };
        if (present)
        {
            throw new InvalidOperationException("The instructions that this run should do without are there.");
        }
    }
}
