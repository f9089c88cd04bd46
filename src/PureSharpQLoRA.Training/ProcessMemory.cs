using System.Diagnostics;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Training;

/// <summary>Peak memory, as a user would measure it.</summary>
public static class ProcessMemory
{
    /// <summary>On a device with memory of its own the peak of its pool; on the CPU that of the process.</summary>
    public static long PeakBytes(IBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        if (!backend.SharesHostMemory)
        {
            return backend.Memory.PeakBytes;
        }

        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
