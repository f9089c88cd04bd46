using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;

namespace PureSharpQLoRA.Testing;

/// <summary>A backend with host memory beside its own, as a card has it.</summary>
public sealed class SeparateHostBackend(IBackend inner) : DelegatingBackend(inner)
{
    public override bool SharesHostMemory => false;

    public override MemoryPool HostMemory { get; } = new(new CpuAllocator());

    /// <summary>How often a tensor was copied to the host, and back.</summary>
    public (int ToHost, int FromHost) Copies { get; private set; }

    public override void CopyToHost(Tensor from, Tensor to)
    {
        Copies = (Copies.ToHost + 1, Copies.FromHost);
        Copy(from, to);
    }

    public override void CopyFromHost(Tensor from, Tensor to)
    {
        Copies = (Copies.ToHost, Copies.FromHost + 1);
        Copy(from, to);
    }

    public override void Dispose()
    {
        HostMemory.Dispose();
        base.Dispose();
        GC.SuppressFinalize(this);
    }
}
