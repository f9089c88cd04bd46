using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Testing.Conformance;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The kernels with fp32 activations on the NVIDIA card of this computer; skipped, with the reason, where there is none.</summary>
public sealed class CardSingleConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = Card.Open(DataType.Float32);
}

/// <summary>The same with fp16 activations.</summary>
public sealed class CardHalfConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = Card.Open(DataType.Float16);
}

/// <summary>The same with bf16 activations, on cards that have them.</summary>
public sealed class CardBrainConformanceTests : BackendConformance
{
    protected override IBackend Backend { get; } = Card.Open(DataType.BFloat16);
}

/// <summary>The card of this computer.</summary>
internal static class Card
{
    public static IlgpuBackend Open(DataType activations)
    {
        CudaDevices cards = CudaDevices.Find();
        if (cards.WhyNone is not null)
        {
            Assert.Skip(cards.WhyNone);
        }

        CudaDevice card = cards.Open();
        if (activations == DataType.BFloat16 && card.Properties.ComputeCapability < 80)
        {
            card.Dispose();
            Assert.Skip($"{card.Properties.Name} has no bf16 tensor cores.");
        }

        return new IlgpuBackend(card, new CudaOptions { ActivationType = activations });
    }
}
