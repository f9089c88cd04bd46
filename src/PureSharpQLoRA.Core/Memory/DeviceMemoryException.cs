using System.Globalization;

namespace PureSharpQLoRA.Core;

/// <summary>A device has no memory left for a tensor; says what fills it, by purpose.</summary>
public sealed class DeviceMemoryException : Exception
{
    internal DeviceMemoryException(long bytes, MemoryPurpose purpose, string inUse)
        : base(string.Create(CultureInfo.InvariantCulture, $"Out of device memory: {bytes / 1048576.0:F1} MiB more were wanted for {Lower(purpose)}; in use: {inUse}."))
    {
        RequestedBytes = bytes;
        Purpose = purpose;
    }

    /// <summary>The bytes that were asked for.</summary>
    public long RequestedBytes { get; }

    /// <summary>What they were for.</summary>
    public MemoryPurpose Purpose { get; }

    internal static string Lower(MemoryPurpose purpose) => purpose.ToString().ToLowerInvariant();
}
