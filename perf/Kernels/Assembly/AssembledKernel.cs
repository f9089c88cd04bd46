using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Kernels.Assembly;

/// <summary>What ptxas makes of a kernel on one chip.</summary>
/// <param name="Kernel">Its PTX.</param>
/// <param name="Chip">75, 80, 86 or 90.</param>
/// <param name="Registers">Per thread.</param>
/// <param name="SharedBytes">Static shared memory of a block.</param>
/// <param name="SpillBytes">Stored and loaded because registers ran out.</param>
/// <param name="StackBytes">Of a thread's stack frame.</param>
/// <param name="Code">The machine code.</param>
internal sealed record AssembledKernel(CompiledKernel Kernel, int Chip, int Registers, int SharedBytes, int SpillBytes, int StackBytes, SassListing Code)
{
    /// <summary>The opcodes of the loop with the most tensor-core instructions; empty where there is none.</summary>
    public IReadOnlyList<string> InnerLoop { get; } = Code.InnerLoop();

    /// <summary>Loads and stores of local memory.</summary>
    public int LocalAccesses => Code.Count("LDL") + Code.Count("STL");

    /// <summary>
    /// Calls that need a stack. The slow paths of IEEE division and square root are subroutines inside the kernel (CALL.REL.NOINC to an address of its
    /// own), which ptxas itself puts there and which take no stack; they are not counted.
    /// </summary>
    public int Calls => Code.Count("CALL") - Code.Count("CALL.REL.NOINC");

    /// <summary>Whether it keeps everything in registers and calls nothing.</summary>
    public bool IsClean => SpillBytes == 0 && StackBytes == 0 && LocalAccesses == 0 && Calls == 0;
}
