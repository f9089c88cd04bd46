using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Optimizer;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    private static readonly float[] AdamMaps = [.. DynamicMap.Signed, .. DynamicMap.Unsigned];

    private int[] _gradientTable = [];

    /// <inheritdoc/>
    public void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
    {
        ShapeException.ThrowIfNot(control, StepControl.Shape, "GradientNorm", "control");
        ShapeException.ThrowIfNot(control, DataType.Float32, "GradientNorm", "control");
        int pieces = FillGradientTable(gradients);
        nint table = pieces == 0 ? 0 : _spans.Upload(HostSpanKind.Gradients, _gradientTable.AsSpan(0, pieces * GradientNormKernels.TableWidth));
        DeviceBuffer sums = Memory.Rent(sizeof(double) * (long)pieces, MemoryPurpose.Workspace);
        if (pieces > 0)
        {
            Launch(
                new KernelKey(typeof(GradientNormKernels), nameof(GradientNormKernels.Pieces), GradientNormKernels.Threads),
                new GridSize(pieces),
                _arguments.Begin().View(0, long.MaxValue / VectorBytes).View(0, long.MaxValue / sizeof(float)).View(table, pieces).View(sums.Address, pieces));
        }

        Launch(
            new KernelKey(typeof(GradientNormKernels), nameof(GradientNormKernels.Finish), GradientNormKernels.Threads),
            new GridSize(1),
            _arguments.Begin().View(table, pieces).View(sums.Address, pieces).View(Write(control), 4).Int(pieces).Float(lossScale).Float(maxNorm));
        sums.Release();
    }

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
    {
        CheckOptimized(parameter, parameter, "AdamW", "the parameter");
        CheckOptimized(gradient, parameter, "AdamW", "the gradient");
        CheckOptimized(firstMoment, parameter, "AdamW", "the first moment");
        CheckOptimized(secondMoment, parameter, "AdamW", "the second moment");
        ShapeException.ThrowIfNot(control, StepControl.Shape, "AdamW", "control");
        int count = checked((int)parameter.Shape.Count);
        nint p = Write(parameter), g = gradient.Address, m = Write(firstMoment), v = Write(secondMoment);
        var settings = new AdamSettings(step);
        int quads = (p | g | m | v) % VectorBytes == 0 ? count / 4 : 0;
        if (quads > 0)
        {
            Launch(
                new KernelKey(typeof(AdamWKernels), nameof(AdamWKernels.Quads), AdamWKernels.Threads),
                GridSize.Covering(quads, AdamWKernels.Threads),
                _arguments.Begin().View(p, quads).View(g, quads).View(m, quads).View(v, quads).View(control.Address, 4).Int(quads).Struct(settings));
        }

        int rest = count - (4 * quads), done = VectorBytes * quads;
        if (rest > 0)
        {
            Launch(
                new KernelKey(typeof(AdamWKernels), nameof(AdamWKernels.Elements), AdamWKernels.Threads),
                GridSize.Covering(rest, AdamWKernels.Threads),
                _arguments.Begin().View(p + done, rest).View(g + done, rest).View(m + done, rest).View(v + done, rest)
                    .View(control.Address, 4).Int(rest).Struct(settings));
        }
    }

    /// <inheritdoc/>
    public void AdamW8Bit(
        Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control)
    {
        const string Operation = "AdamW8Bit";
        CheckOptimized(parameter, parameter, Operation, "the parameter");
        CheckOptimized(gradient, parameter, Operation, "the gradient");
        CheckMoment(firstCodes, firstMaxima, parameter, "the codes of the first moment", "the maxima of the first moment");
        CheckMoment(secondCodes, secondMaxima, parameter, "the codes of the second moment", "the maxima of the second moment");
        ShapeException.ThrowIfNot(control, StepControl.Shape, Operation, "control");
        int count = checked((int)parameter.Shape.Count), blocks = EightBitMoments.Blocks(count);
        if (count == 0)
        {
            return;
        }

        nint p = Write(parameter), g = gradient.Address, m = Write(firstCodes), v = Write(secondCodes);
        nint maps = _spans.Upload(HostSpanKind.QuantileMaps, MemoryMarshal.Cast<float, int>(AdamMaps));
        bool quads = count % EightBitMoments.BlockSize == 0 && (p | g | m | v) % VectorBytes == 0;
        int width = quads ? 4 : 1;
        Launch(
            new KernelKey(typeof(AdamW8BitKernels), quads ? nameof(AdamW8BitKernels.Quads) : nameof(AdamW8BitKernels.Elements), AdamW8BitKernels.Threads),
            GridSize.Covering(blocks, AdamW8BitKernels.BlocksPerGroup),
            _arguments.Begin().View(p, count / width).View(g, count / width)
                .View(m, count / width).View(Write(firstMaxima), blocks).View(v, count / width).View(Write(secondMaxima), blocks)
                .View(maps, 2 * AdamW8BitKernels.MapValues).View(control.Address, 4).Int(quads ? blocks : count).Struct(new AdamSettings(step)));
    }

    private static void CheckMoment(Tensor codes, Tensor maxima, Tensor parameter, string codesName, string maximaName)
    {
        ShapeException.ThrowIfNot(codes, parameter.Shape, "AdamW8Bit", codesName);
        ShapeException.ThrowIfNot(codes, DataType.UInt8, "AdamW8Bit", codesName);
        ShapeException.ThrowIfNot(maxima, new Shape(EightBitMoments.Blocks(parameter.Shape.Count)), "AdamW8Bit", maximaName);
        ShapeException.ThrowIfNot(maxima, DataType.Float32, "AdamW8Bit", maximaName);
    }

    private static void CheckOptimized(Tensor tensor, Tensor parameter, string operation, string operand)
    {
        ShapeException.ThrowIfNot(tensor, parameter.Shape, operation, operand);
        ShapeException.ThrowIfNot(tensor, DataType.Float32, operation, operand);
    }

    /// <summary>Cuts the gradients into pieces of one block each; returns how many.</summary>
    private int FillGradientTable(ReadOnlySpan<Tensor> gradients)
    {
        int pieces = 0;
        foreach (Tensor gradient in gradients)
        {
            ShapeException.ThrowIfNot(gradient, DataType.Float32, "GradientNorm", "a gradient");
            pieces = checked(pieces + (int)((gradient.Shape.Count + GradientNormKernels.PieceElements - 1) / GradientNormKernels.PieceElements));
        }

        int length = checked(pieces * GradientNormKernels.TableWidth), next = 0;
        if (_gradientTable.Length < length)
        {
            _gradientTable = new int[length];
        }

        for (int tensor = 0; tensor < gradients.Length; tensor++)
        {
            long count = gradients[tensor].Shape.Count;
            for (long first = 0; first < count; first += GradientNormKernels.PieceElements)
            {
                long address = gradients[tensor].Address + (sizeof(float) * first);
                _gradientTable[next++] = unchecked((int)address);
                _gradientTable[next++] = (int)(address >> 32);
                _gradientTable[next++] = (int)Math.Min(count - first, GradientNormKernels.PieceElements);
                _gradientTable[next++] = tensor;
            }
        }

        return pieces;
    }
}
