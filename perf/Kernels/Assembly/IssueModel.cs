namespace PureSharpQLoRA.Kernels.Assembly;

/// <summary>
/// Cycles that a warp's pass through the inner loop keeps each unit of its scheduler busy. A multiprocessor has four schedulers, each with one instruction a
/// cycle, 16 integer lanes, 16 or 32 fp32 lanes (multiplication of integers and packed halves with them), four lanes for special functions and
/// conversions, a tensor core, and a quarter of the shared memory's bandwidth.
/// </summary>
/// <param name="Instructions">All of the loop: issue slots.</param>
/// <param name="Products">Tensor-core instructions.</param>
/// <param name="MatrixLoads">ldmatrix instructions.</param>
/// <param name="Tensor">Cycles of the tensor core.</param>
/// <param name="Integer">Cycles of the integer lanes.</param>
/// <param name="Float">Cycles of the fp32 lanes.</param>
/// <param name="Special">Cycles of the special functions.</param>
/// <param name="Shared">Cycles of shared memory.</param>
internal sealed record IssueModel(int Instructions, int Products, int MatrixLoads, double Tensor, double Integer, double Float, double Special, double Shared)
{
    private const int IntegerCycles = 2, SpecialCycles = 8, Schedulers = 4, Lanes = 32;

    /// <summary>Everything overlaps: only the busiest unit counts.</summary>
    public double Overlapping => Tensor / Max(Tensor);

    /// <summary>No integer work (decoding weights, addresses) overlaps with the tensor core; everything else does.</summary>
    public double IntegerAfter => Tensor / Max(Tensor + Integer);

    /// <summary>No arithmetic of any kind overlaps with the tensor core.</summary>
    public double Serial => Tensor / Max(Tensor + Integer + Float + Special);

    /// <summary>Counts the loop of a kernel that has tensor-core instructions, else null.</summary>
    public static IssueModel? Of(AssembledKernel kernel, Chip chip)
    {
        IReadOnlyList<string> loop = kernel.InnerLoop;
        if (loop.Count == 0)
        {
            return null;
        }

        double integer = 0, floats = 0, special = 0, shared = 0;
        int products = 0, matrixLoads = 0;
        foreach (string opcode in loop)
        {
            string name = opcode.Split('.')[0];
            switch (name)
            {
                case "HMMA":
                    products++;
                    break;
                case "MUFU" or "F2F" or "I2F" or "F2I":
                    special += SpecialCycles;
                    break;
                case "FMUL" or "FADD" or "FFMA" or "IMAD" or "HFMA2" or "HMUL2" or "HADD2" or "FSEL" or "FSETP" or "FMNMX":
                    floats += chip.FloatCycles;
                    break;
                case "LDSM":
                    matrixLoads++;
                    shared += SharedCycles(16, chip);
                    break;
                case "LDS" or "STS" or "LDGSTS" or "SHFL":
                    shared += SharedCycles(name == "LDGSTS" || opcode.Contains("128", StringComparison.Ordinal) ? 16 : opcode.Contains("64", StringComparison.Ordinal) ? 8 : 4, chip);
                    break;
                case "LDG" or "STG" or "BAR" or "BRA" or "NOP" or "DEPBAR" or "LDGDEPBAR" or "WARPSYNC" or "BSSY" or "BSYNC" or "EXIT":
                    break;
                default:
                    integer += IntegerCycles;
                    break;
            }
        }

        return new IssueModel(loop.Count, products, matrixLoads, products * chip.MatrixCycles, integer, floats, special, shared);
    }

    private static double SharedCycles(int bytesPerLane, Chip chip) => bytesPerLane * Lanes * Schedulers / chip.SharedBytesPerCycle;

    private double Max(double cycles) => new[] { cycles, Instructions, Integer, Float, Special, Shared }.Max();
}
