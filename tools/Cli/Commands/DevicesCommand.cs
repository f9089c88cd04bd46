using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using PureSharpQLoRA.Cli.Options;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>What can be computed on here.</summary>
internal sealed class DevicesCommand : ICliCommand
{
    public string Name => "devices";

    public string Summary => "Lists what can be computed on here, and why not on the others";

    public IReadOnlyList<OptionDefinition> Options { get; } = [];

    public int Run(CommandContext context)
    {
        string processor = ProcessorName();
        int bits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;
        bool bf16 = Processor.HasBFloat16Products;
        string whyNoCuda = WhyNoCuda();
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteStartArray("devices");
                json.WriteStartObject();
                json.WriteString("device", "cpu");
                json.WriteBoolean("usable", true);
                json.WriteString("name", processor);
                json.WriteNumber("threads", Environment.ProcessorCount);
                json.WriteNumber("vector_bits", bits);
                json.WriteBoolean("bfloat16_products", bf16);
                json.WriteNumber("memory_bytes", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
                json.WriteEndObject();
                json.WriteStartObject();
                json.WriteString("device", "cuda");
                json.WriteBoolean("usable", false);
                json.WriteString("reason", whyNoCuda);
                json.WriteEndObject();
                json.WriteEndArray();
            });
            return ExitCodes.Done;
        }

        context.Output.WriteLine($"cpu   {processor}: {Environment.ProcessorCount} threads, {bits}-bit vectors, "
            + (bf16 ? "bf16 products in hardware (AVX512_BF16)" : "no bf16 products in hardware: bfloat16 computes as float32")
            + $", {Generators.Parsing.ByteSize.Show(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} memory");
        context.Output.WriteLine($"cuda  not usable: {whyNoCuda}");
        return ExitCodes.Done;
    }

    /// <summary>Why --device cuda is refused.</summary>
    public static string WhyNoCuda()
    {
        string library = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return $"this build has no CUDA backend, and no NVIDIA driver is installed here ({library} was not found)";
        }

        NativeLibrary.Free(handle);
        return "this build has no CUDA backend (an NVIDIA driver is installed)";
    }

    private static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo) ? File.ReadLines(CpuInfo).FirstOrDefault(row => row.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
            ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
