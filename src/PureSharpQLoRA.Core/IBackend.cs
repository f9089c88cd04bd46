namespace PureSharpQLoRA.Core;

/// <summary>
/// What a device computes. Every operation writes into tensors that exist already, so that nothing is allocated behind the caller's
/// back, and is issued from one thread; a device may run behind, and <see cref="Download"/> alone waits for it.
/// Each operation is declared beside its family: see the other parts of this interface in <c>Ops</c>. They say of each operand in which type
/// it comes: "activation type" means <see cref="ActivationType"/>, in which results of layers and their gradients are stored; whatever belongs
/// to parameters, statistics and losses is fp32. Sums are formed in fp32 at least, and rounded once when stored.
/// </summary>
public partial interface IBackend : IDisposable
{
    /// <summary>The device in a few words, for people.</summary>
    string Name { get; }

    /// <summary>In which type activations, their gradients and cached keys and values are stored: fp32, fp16 or bf16.</summary>
    DataType ActivationType { get; }

    /// <summary>Whether tensors may lie in memory that the host maps, such as a file of weights.</summary>
    bool SharesHostMemory { get; }

    /// <summary>Memory of the device.</summary>
    MemoryPool Memory { get; }

    /// <summary>Copies bytes from the host into a tensor: as many as it has.</summary>
    /// <exception cref="ShapeException">The number of bytes differs.</exception>
    void Upload(ReadOnlySpan<byte> source, Tensor to);

    /// <summary>Copies a tensor's bytes to the host.</summary>
    /// <exception cref="ShapeException">The number of bytes differs.</exception>
    void Download(Tensor from, Span<byte> to);

    /// <summary>Called once after each backward pass, before gradients are read.</summary>
    void CompleteBackward();
}
