using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing;

/// <summary>Disposes a backend, and whatever still lives on it must be gone by then.</summary>
public static class LeakCheck
{
    /// <summary>Disposes the backend after all its users were; fails if tensors still hold memory of it.</summary>
    public static void DisposeAndAssert(IBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        MemoryPool memory = backend.Memory;
        backend.Dispose();
        IEnumerable<string> held = Enum.GetValues<MemoryPurpose>()
            .Where(purpose => memory.BytesFor(purpose) != 0)
            .Select(purpose => FormattableString.Invariant($"{purpose} {memory.BytesFor(purpose)}"));
        Assert.True(memory.BytesInUse == 0, FormattableString.Invariant($"{memory.BytesInUse} bytes are still held: {string.Join(", ", held)}."));
        Assert.True(memory.BytesCached == 0, FormattableString.Invariant($"{memory.BytesCached} bytes were not given back to the device."));
    }
}
