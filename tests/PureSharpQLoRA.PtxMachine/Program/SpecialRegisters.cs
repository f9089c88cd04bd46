namespace PureSharpQLoRA.PtxMachine;

/// <summary>Special registers (PTX ISA "Special Registers") and the slot width their value needs.</summary>
internal static class SpecialRegisters
{
    private static readonly HashSet<string> Names =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
        "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z",
        "%laneid", "%warpid", "%nwarpid", "%smid", "%nsmid", "%gridid",
        "%lanemask_eq", "%lanemask_le", "%lanemask_lt", "%lanemask_ge", "%lanemask_gt",
        "%dynamic_smem_size", "%total_smem_size",
        "%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi",
    ];

    public static bool IsKnown(string name) => Names.Contains(name);

    /// <summary>Registers that change while a warp runs, so that a mov must read them anew.</summary>
    public static bool IsVolatile(string name) => name.StartsWith("%clock", StringComparison.Ordinal) || name.StartsWith("%globaltimer", StringComparison.Ordinal);

    public static int Width(string name) => name is "%clock64" or "%globaltimer" or "%gridid" ? 8 : 4;
}
