using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Loss;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(losses);
        int rows = logits.Shape.Rows, vocabulary = logits.Shape.Columns;
        if (labels.Length != rows || losses.Shape.Count != rows)
        {
            throw new ShapeException("CrossEntropy", "labels and losses", $"of {rows} tokens", $"{labels.Length} and {losses.Shape.Count}");
        }

        ShapeException.ThrowIfNot(logits, DataType.Float32, "CrossEntropy", "logits");
        ShapeException.ThrowIfNot(losses, DataType.Float32, "CrossEntropy", "losses");
        foreach (int label in labels)
        {
            if (label >= vocabulary)
            {
                throw new ArgumentOutOfRangeException(nameof(labels), label, $"A label is outside the vocabulary of {vocabulary}.");
            }
        }

        if (rows == 0)
        {
            return;
        }

        bool quads = vocabulary % 4 == 0 && logits.Address % VectorBytes == 0;
        int width = quads ? 4 : 1;
        nint places = _spans.Upload(HostSpanKind.Labels, labels), address = gradientScale == 0 ? logits.Address : Write(logits);
        Launch(
            new KernelKey(
                typeof(CrossEntropyKernels), nameof(CrossEntropyKernels.Rows), CrossEntropyKernels.Threads,
                First: quads ? typeof(F4) : typeof(float), Second: quads ? typeof(QuadLogits) : typeof(SingleLogits)),
            new GridSize(rows),
            _arguments.Begin().View(address, logits.Shape.Count / width).View(address, logits.Shape.Count).View(places, rows)
                .View(Write(losses), rows).Int(vocabulary / width).Float(gradientScale));
    }
}
