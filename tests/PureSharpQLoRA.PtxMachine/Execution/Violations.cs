namespace PureSharpQLoRA.PtxMachine;

/// <summary>Kinds of findings, after the tools of compute-sanitizer (memcheck, initcheck, racecheck, synccheck).</summary>
public enum ViolationKind
{
    UninitializedRead,
    AsyncCopyInFlight,
    SharedRace,
    DivergentBarrier,
    ExitedAtBarrier,
    DivergentSync,
    ShuffleSource,
    /// <summary>cvta.to of a generic address that lies in another state space.</summary>
    WrongAddressSpace,
}

/// <summary>A position in the launch grid.</summary>
public readonly record struct Dim3(int X, int Y = 1, int Z = 1)
{
    public long Count => (long)X * Y * Z;
    public static implicit operator Dim3(int x) => new(x);
    public static implicit operator Dim3((int X, int Y) d) => new(d.X, d.Y);
    public static implicit operator Dim3((int X, int Y, int Z) d) => new(d.X, d.Y, d.Z);
    public override string ToString() => $"({X},{Y},{Z})";
}

/// <summary>A finding at one instruction; <see cref="Count"/> says how often it happened.</summary>
public sealed class Violation
{
    internal Violation(ViolationKind kind, string kernel, int line, string text, Dim3 block, Dim3 thread, string detail) =>
        (Kind, Kernel, Line, InstructionText, Block, Thread, Detail) = (kind, kernel, line, text, block, thread, detail);

    public ViolationKind Kind { get; }
    public string Kernel { get; }
    public int Line { get; }
    public string InstructionText { get; }
    public Dim3 Block { get; }
    public Dim3 Thread { get; }
    public string Detail { get; }
    public long Count { get; internal set; } = 1;

    public override string ToString() =>
        $"{Kind} in {Kernel}, PTX line {Line} '{InstructionText}', block {Block} thread {Thread}: {Detail}" + (Count > 1 ? $" (and {Count - 1} more)" : "");
}

/// <summary>A fault that stops the launch: bad address, misalignment, trap, exceeded limits.</summary>
public sealed class PtxFaultException : Exception
{
    internal PtxFaultException(string kernel, int line, string text, Dim3 block, Dim3 thread, ulong address, string detail, IReadOnlyList<Violation> earlier)
        : base($"fault in {kernel}, PTX line {line} '{text}', block {block} thread {thread}: {detail}" + string.Concat(earlier.Take(3).Select(v => $"{Environment.NewLine}before it: {v}"))) =>
        (Kernel, Line, InstructionText, Block, Thread, Address, Earlier) = (kernel, line, text, block, thread, address, earlier);

    public string Kernel { get; }
    public int Line { get; }
    public string InstructionText { get; }
    public Dim3 Block { get; }
    public Dim3 Thread { get; }
    public ulong Address { get; }
    /// <summary>Violations found before the fault.</summary>
    public IReadOnlyList<Violation> Earlier { get; }
}

/// <summary>A launch finished with violations; the report lists them.</summary>
public sealed class PtxViolationException(LaunchReport report)
    : Exception(string.Join(Environment.NewLine, report.Violations.Take(8)))
{
    public LaunchReport Report { get; } = report;
}

/// <summary>A launch whose configuration or arguments cannot run.</summary>
public sealed class PtxLaunchException(string message) : Exception(message);
