namespace PureSharpQLoRA.PtxMachine;

/// <summary>What happens when a check finds a violation that does not stop the hardware.</summary>
public enum ViolationMode
{
    /// <summary>The launch finishes, then throws <see cref="PtxViolationException"/>.</summary>
    Throw,
    /// <summary>Violations are only listed in the <see cref="LaunchReport"/>.</summary>
    Collect,
}

/// <summary>Settings of a <see cref="Machine"/>; all checks are on by default.</summary>
public sealed record MachineOptions
{
    public ViolationMode Violations { get; init; } = ViolationMode.Throw;

    /// <summary>Report reads of global, shared and local bytes never written, and of cp.async targets still in flight.</summary>
    public bool CheckUninitialized { get; init; } = true;

    /// <summary>Report shared-memory accesses of different warps that no barrier orders.</summary>
    public bool CheckRaces { get; init; } = true;

    /// <summary>Report bar.sync reached after some threads of the block have exited.</summary>
    public bool CheckExitedAtBarrier { get; init; } = true;

    /// <summary>Report shfl.sync results taken from lanes that did not take part.</summary>
    public bool CheckShuffleSource { get; init; }

    /// <summary>Count sectors and bank conflicts; costs about a third of the speed of memory-bound kernels.</summary>
    public bool CountMemoryTraffic { get; init; } = true;

    /// <summary>Host threads that run blocks; 1 runs them in order and is deterministic.</summary>
    public int HostThreads { get; init; } = 1;

    /// <summary>Total shared memory a block may use; 0 takes the limit of the module's target.</summary>
    public int SharedMemoryLimit { get; init; }

    /// <summary>Warp instructions after which a launch is taken for an endless loop.</summary>
    public long MaxWarpInstructions { get; init; } = 1_000_000_000;

    /// <summary>Distinct violations kept in a report.</summary>
    public int MaxViolations { get; init; } = 64;
}
