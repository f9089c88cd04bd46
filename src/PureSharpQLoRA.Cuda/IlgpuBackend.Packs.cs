using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda;

// Launches of kernels over packs: the wide accesses where shapes and addresses allow them, else one element at a time.
public sealed partial class IlgpuBackend
{
    private const int PackThreads = 256;

    /// <summary>The packs of a tensor whose rows do not matter.</summary>
    private static FlatPacks Flat(Tensor tensor, nint addresses)
    {
        PackType type = PackType.For(tensor.DataType, tensor.Shape.Count, addresses);
        return new FlatPacks(type, checked((int)(tensor.Shape.Count / type.Elements)));
    }

    /// <summary>Launches a kernel with a thread for each pack; <paramref name="arguments"/> are complete.</summary>
    private void LaunchFlat(Type kernels, string method, in FlatPacks packs, LaunchArguments arguments) =>
        LaunchPacks(kernels, method, packs.Type, PackThreads, GridSize.Covering(packs.Count, PackThreads), arguments);

    private void LaunchPacks(Type kernels, string method, in PackType packs, int threads, GridSize grid, LaunchArguments arguments)
    {
        if (grid is { X: > 0, Y: > 0 })
        {
            Launch(new KernelKey(kernels, method, threads, First: packs.Storage, Second: packs.Pack), grid, arguments);
        }
    }

    /// <summary>Enough whole warps for the packs of a row, at most 256 threads.</summary>
    private static int RowThreads(int rowPacks) => Math.Clamp((rowPacks + 31) / 32 * 32, 32, PackThreads);

    /// <summary>Throws unless a tensor has the shape and the activation type.</summary>
    private void CheckActivation(Tensor tensor, Shape shape, string operation, string operand)
    {
        ShapeException.ThrowIfNot(tensor, shape, operation, operand);
        ShapeException.ThrowIfNot(tensor, ActivationType, operation, operand);
    }

    private static void CheckSingles(Tensor tensor, Shape shape, string operation, string operand)
    {
        ShapeException.ThrowIfNot(tensor, shape, operation, operand);
        ShapeException.ThrowIfNot(tensor, DataType.Float32, operation, operand);
    }

    private readonly record struct FlatPacks(PackType Type, int Count);
}
