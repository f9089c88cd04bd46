namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>Properties of a card, by their numbers in the driver API (CUdevice_attribute).</summary>
internal enum DeviceAttribute
{
    Multiprocessors = 16,
    ClockKilohertz = 13,
    MemoryClockKilohertz = 36,
    MemoryBusBits = 37,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
}
