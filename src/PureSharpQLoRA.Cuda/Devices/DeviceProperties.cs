namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>What the backend has to know of a device.</summary>
/// <param name="Name">The card, as its driver names it.</param>
/// <param name="ComputeCapability">Major times ten plus minor: 75 for Turing.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Bytes of device memory.</param>
public sealed record DeviceProperties(string Name, int ComputeCapability, int Multiprocessors, long MemoryBytes);
