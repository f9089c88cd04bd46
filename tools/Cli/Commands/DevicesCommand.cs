using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Json;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cuda.Devices;

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
        CudaDevices cards = context.Host.FindCards();
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
                WriteCards(json, cards);
                json.WriteEndArray();
            });
            return ExitCodes.Done;
        }

        context.Output.WriteLine($"cpu   {processor}: {Environment.ProcessorCount} threads, {bits}-bit vectors, "
            + (bf16 ? "bf16 products in hardware (AVX512_BF16)" : "no bf16 products in hardware: bfloat16 computes as float32")
            + $", {Generators.Parsing.ByteSize.Show(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} memory");
        if (cards.Problem is not null)
        {
            context.Output.WriteLine($"cuda  not usable: {cards.Problem}");
        }

        foreach (CudaDeviceInfo card in cards.Cards)
        {
            context.Output.WriteLine(card.Problem is null
                ? string.Create(CultureInfo.InvariantCulture, $"cuda  {card.Index}: {Describe(card)}, PTX {card.PtxVersion}")
                : string.Create(CultureInfo.InvariantCulture, $"cuda  {card.Index}: {Describe(card)}; not usable: {card.Problem}"));
        }

        return ExitCodes.Done;
    }

    private static string Describe(CudaDeviceInfo card) => string.Create(
        CultureInfo.InvariantCulture,
        $"{card.Name}: {Generators.Parsing.ByteSize.Show(card.MemoryBytes)} memory, {card.Multiprocessors} multiprocessors, compute capability {card.ComputeCapabilityText}, driver for CUDA {card.DriverVersionText}");

    private static void WriteCards(Utf8JsonWriter json, CudaDevices cards)
    {
        if (cards.Problem is not null)
        {
            json.WriteStartObject();
            json.WriteString("device", "cuda");
            json.WriteBoolean("usable", false);
            json.WriteString("reason", cards.Problem);
            json.WriteEndObject();
        }

        foreach (CudaDeviceInfo card in cards.Cards)
        {
            json.WriteStartObject();
            json.WriteString("device", "cuda");
            json.WriteBoolean("usable", card.Problem is null);
            json.WriteNumber("index", card.Index);
            json.WriteString("name", card.Name);
            json.WriteNumber("memory_bytes", card.MemoryBytes);
            json.WriteNumber("multiprocessors", card.Multiprocessors);
            json.WriteString("compute_capability", card.ComputeCapabilityText);
            json.WriteString("driver_cuda_version", card.DriverVersionText);
            json.WriteString("ptx", card.PtxVersion);
            if (card.Problem is not null)
            {
                json.WriteString("reason", card.Problem);
            }

            json.WriteEndObject();
        }
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
