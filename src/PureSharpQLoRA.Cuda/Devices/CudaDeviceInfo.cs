using System.Globalization;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>A card that the driver shows, and whether it can be used.</summary>
/// <param name="Index">Its number in the driver's order.</param>
/// <param name="Name">Its name.</param>
/// <param name="ComputeCapability">Major times ten plus minor.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Bytes of memory, all of it.</param>
/// <param name="DriverVersion">The CUDA version of the driver, 1000 * major + 10 * minor.</param>
/// <param name="PtxVersion">The PTX version and target that kernels are compiled to; null where the card is too old.</param>
/// <param name="Problem">Why it cannot be used, in a line; null where it can.</param>
public sealed record CudaDeviceInfo(
    int Index, string Name, int ComputeCapability, int Multiprocessors, long MemoryBytes, int DriverVersion, string? PtxVersion, string? Problem)
{
    /// <summary>For example "7.5".</summary>
    public string ComputeCapabilityText => Dotted(ComputeCapability);

    /// <summary>For example "12.4".</summary>
    public string DriverVersionText => string.Create(CultureInfo.InvariantCulture, $"{DriverVersion / 1000}.{DriverVersion % 1000 / 10}");

    private static string Dotted(int capability) => string.Create(CultureInfo.InvariantCulture, $"{capability / 10}.{capability % 10}");
}
