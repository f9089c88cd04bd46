using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing;

/// <summary>The sum of losses as a number, where a test wants it at once.</summary>
public static class LossTotal
{
    /// <summary>What <paramref name="compute"/> adds to the total that it is given.</summary>
    public static double Of(IBackend backend, Action<Tensor> compute)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(compute);
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Workspace);
        Tensor total = scope.Allocate(ElementwiseOps.TotalShape);
        backend.Fill(total, 0);
        compute(total);
        return backend.ReadTotal(total);
    }
}
