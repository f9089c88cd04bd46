using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>What a command line gave, run in this process.</summary>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    /// <summary>A host without cards, whatever the computer has.</summary>
    public static CliHost Host => new()
    {
        Output = TextWriter.Null,
        Error = TextWriter.Null,
        Input = new StringReader(""),
        FindCards = () => CudaDevices.None("No NVIDIA driver is installed (libcuda.so.1 was not found)."),
    };

    public static CliRun Of(params string[] args) => With(Host, args);

    /// <summary>Runs with a host of one's own; its writers are replaced.</summary>
    public static CliRun With(CliHost host, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int exitCode = CommandLineApp.Run(args, host with { Output = output, Error = error });
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Throws, with what was printed, unless the run ended with the given code.</summary>
    public CliRun MustExitWith(int code)
    {
        Assert.True(ExitCode == code, $"The exit code is {ExitCode}, not {code}.\n{Error}\n{Output}");
        return this;
    }
}
