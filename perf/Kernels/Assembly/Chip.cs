namespace PureSharpQLoRA.Kernels.Assembly;

/// <summary>
/// What one card's multiprocessors can do. Limits and throughputs: CUDA C++ Programming Guide (compute capabilities, arithmetic instructions) and the
/// chips' whitepapers; shared memory of the T4: Jia et al. 2019, arXiv:1903.07486; mma.sync on the H100: Luo et al. 2024, arXiv:2402.13499.
/// </summary>
/// <param name="Name">The card.</param>
/// <param name="Capability">Its compute capability.</param>
/// <param name="Multiprocessors">How many it has.</param>
/// <param name="ClockHz">The clock at which the peak is stated.</param>
/// <param name="PeakTflops">fp16 or bf16 products with fp32 sums, dense.</param>
/// <param name="Bandwidth">Of the card's memory, bytes a second.</param>
/// <param name="SharedPerMultiprocessor">Bytes of shared memory.</param>
/// <param name="SharedReserve">Bytes that the system takes of it for every block.</param>
/// <param name="Warps">The most warps on a multiprocessor.</param>
/// <param name="Blocks">The most blocks.</param>
/// <param name="MatrixCycles">Cycles that one tensor-core instruction of ours occupies its scheduler's tensor core.</param>
/// <param name="FloatCycles">Cycles of a warp's fp32 instruction: 32 over the lanes of a scheduler.</param>
/// <param name="SharedBytesPerCycle">Shared memory bandwidth of a multiprocessor.</param>
internal sealed record Chip(
    string Name, int Capability, int Multiprocessors, double ClockHz, double PeakTflops, double Bandwidth, int SharedPerMultiprocessor, int SharedReserve,
    int Warps, int Blocks, double MatrixCycles, double FloatCycles, double SharedBytesPerCycle)
{
    private const int Registers = 65536;

    /// <summary>m16n8k8: 1,024 multiply-adds at 128 a cycle and scheduler.</summary>
    public static Chip T4 { get; } = new("T4", 75, 40, 1.59e9, 65, 320e9, 64 << 10, 0, 32, 16, MatrixCycles: 8, FloatCycles: 2, SharedBytesPerCycle: 64);

    /// <summary>m16n8k16: 2,048 multiply-adds at 256 a cycle and scheduler. The 40 GB card.</summary>
    public static Chip A100 { get; } = new("A100", 80, 108, 1.41e9, 312, 1555e9, 164 << 10, 1 << 10, 64, 32, MatrixCycles: 8, FloatCycles: 2, SharedBytesPerCycle: 128);

    /// <summary>For its limits alone: a GeForce or workstation card.</summary>
    public static Chip Ga102 { get; } = A100 with { Name = "sm_86", Capability = 86, SharedPerMultiprocessor = 100 << 10, Warps = 48, Blocks = 16 };

    /// <summary>m16n8k16 at 512 multiply-adds a cycle and scheduler, of which mma.sync (all that ILGPU reaches) is taken to get 63 %.</summary>
    public static Chip H100 { get; } =
        new("H100", 90, 132, 1.83e9, 989, 3350e9, 228 << 10, 1 << 10, 64, 32, MatrixCycles: 4 / 0.63, FloatCycles: 1, SharedBytesPerCycle: 128);

    /// <summary>Those that kernels are assembled for.</summary>
    public static IReadOnlyList<Chip> All { get; } = [T4, A100, Ga102, H100];

    /// <summary>The cards that estimates are made for.</summary>
    public static IReadOnlyList<Chip> Estimated { get; } = [T4, A100, H100];

    /// <summary>The target its kernels are compiled for.</summary>
    public int PtxTarget => Capability >= 80 ? 80 : 75;

    /// <summary>Blocks of a kernel that fit on a multiprocessor together.</summary>
    public int ResidentBlocks(AssembledKernel kernel)
    {
        int warps = (kernel.Kernel.Key.Threads + 31) / 32, perWarp = (kernel.Registers * 32 + 255) / 256 * 256;
        int byShared = kernel.SharedBytes == 0 ? Blocks : SharedPerMultiprocessor / ((kernel.SharedBytes + SharedReserve + 255) / 256 * 256);
        return new[] { Registers / perWarp / warps, byShared, Warps / warps, Blocks }.Min();
    }
}
