using System.Text;
using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cli;

/// <summary>What a command reads from and writes to; tests give their own.</summary>
internal sealed record CliHost
{
    /// <summary>Results.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Errors, and progress where results are meant for a program.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Prompts and texts.</summary>
    public required TextReader Input { get; init; }

    /// <summary>Whether a line can be drawn over.</summary>
    public bool IsTerminal { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 100;

    /// <summary>Asks to finish the step and save.</summary>
    public CancellationToken Interrupt { get; init; }

    /// <summary>How the user starts this program, for commands that they can copy.</summary>
    public string CommandName { get; init; } = "puresharp";

    /// <summary>Where compiled models are kept; null for the user's cache folder.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>Asks for the NVIDIA cards.</summary>
    public Func<CudaDevices> FindCards { get; init; } = CudaDevices.Find;

    public static CliHost ForConsole(CancellationToken interrupt)
    {
        if (Console.IsOutputRedirected || OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }

        bool terminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        return new CliHost
        {
            Output = Console.Out,
            Error = Console.Error,
            Input = Console.In,
            IsTerminal = terminal,
            Width = terminal && Console.WindowWidth > 20 ? Console.WindowWidth : 100,
            Interrupt = interrupt,
            CommandName = Repository.Find() is { } repository
                ? $"dotnet run -c Release --project {Path.GetRelativePath(Environment.CurrentDirectory, Path.Combine(repository, "tools", "Cli"))} --"
                : "puresharp",
        };
    }
}
