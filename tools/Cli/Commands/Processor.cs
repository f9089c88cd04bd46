using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>What .NET doesn't say about the processor.</summary>
internal static class Processor
{
    /// <summary>Whether it has AVX512_BF16 (CPUID leaf 7, subleaf 1, EAX bit 5).</summary>
    public static bool HasBFloat16Products => X86Base.IsSupported && Avx512F.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
}
