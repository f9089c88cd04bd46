using System.Globalization;
using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>The NVIDIA cards of this computer.</summary>
public sealed class CudaDevices
{
    private readonly Driver? _driver;

    private CudaDevices(Driver? driver, IReadOnlyList<CudaDeviceInfo> cards, string? problem) => (_driver, Cards, Problem) = (driver, cards, problem);

    /// <summary>The cards, usable or not.</summary>
    public IReadOnlyList<CudaDeviceInfo> Cards { get; }

    /// <summary>Why there is no card at all, in a line; null where there is one.</summary>
    public string? Problem { get; }

    /// <summary>Why no card can be used, in a line; null where one can.</summary>
    public string? WhyNone => Problem ?? (Cards.Any(card => card.Problem is null) ? null : Cards[0].Problem);

    /// <summary>Asks the driver, which may not be there.</summary>
    public static CudaDevices Find() => Driver.TryOpen(out Driver? driver, out string? problem) ? Of(driver) : None(problem);

    /// <summary>A computer without cards.</summary>
    /// <param name="problem">Why there are none.</param>
    public static CudaDevices None(string problem) => new(null, [], problem);

    /// <summary>Opens a card.</summary>
    /// <param name="index">Its number; null for the first that can be used.</param>
    /// <exception cref="NotSupportedException">There is none, or it cannot be used; the message says why.</exception>
    public CudaDevice Open(int? index = null)
    {
        CudaDeviceInfo? card = index is { } number
            ? Cards.FirstOrDefault(candidate => candidate.Index == number)
            : Cards.FirstOrDefault(candidate => candidate.Problem is null);
        if (card is null)
        {
            throw new NotSupportedException(WhyNone ?? string.Create(CultureInfo.InvariantCulture, $"There is no card {index}: the driver shows {Cards.Count}."));
        }

        return new CudaDevice(_driver!, card);
    }

    /// <summary>The cards of a driver.</summary>
    internal static CudaDevices Of(Driver driver)
    {
        CudaDeviceInfo[] cards = [.. Enumerable.Range(0, driver.DeviceCount()).Select(index => Describe(driver, index))];
        return cards.Length == 0 ? None("The NVIDIA driver sees no card.") : new CudaDevices(driver, cards, null);
    }

    private static CudaDeviceInfo Describe(Driver driver, int index)
    {
        int device = driver.Device(index), version = driver.Version;
        int capability = (10 * driver.DeviceAttribute(device, DeviceAttribute.ComputeCapabilityMajor))
            + driver.DeviceAttribute(device, DeviceAttribute.ComputeCapabilityMinor);
        var info = new CudaDeviceInfo(
            index, driver.DeviceName(device), capability, driver.DeviceAttribute(device, DeviceAttribute.Multiprocessors), driver.DeviceMemory(device), version, null, null);
        KernelCompiler compiler;
        try
        {
            compiler = KernelCompiler.For(capability);
        }
        catch (NotSupportedException e)
        {
            return info with { Problem = $"{info.Name}: {e.Message}" };
        }

        string? problem = version >= compiler.LeastDriverVersion ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"{info.Name}: the driver serves CUDA {info.DriverVersionText}, but PTX {compiler.PtxVersion} needs {compiler.LeastDriverVersion / 1000}.{compiler.LeastDriverVersion % 1000 / 10} or newer; update the NVIDIA driver.");
        return info with { PtxVersion = $"{compiler.PtxVersion}, sm_{compiler.Architecture}", Problem = problem };
    }
}
