using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Compilation;

/// <summary>
/// The parameters of a launch, packed as PTX declares them. One buffer serves all launches, since a device copies it when it is given.
/// An <c>ArrayView</c> is an address and a number of elements.
/// </summary>
internal sealed class LaunchArguments
{
    private const int Capacity = 1024;
    private readonly byte[] _bytes = new byte[Capacity];
    private int _length;

    /// <summary>What was added since <see cref="Begin"/>.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>Starts again with none.</summary>
    public LaunchArguments Begin()
    {
        _length = 0;
        return this;
    }

    /// <summary>A view of <paramref name="elements"/> elements.</summary>
    public LaunchArguments View(nint address, long elements)
    {
        Append((long)address);
        return Append(elements);
    }

    /// <summary>A view of a tensor, in elements of <paramref name="elementBytes"/> bytes.</summary>
    public LaunchArguments View(Tensor tensor, int elementBytes) => View(tensor.Address, tensor.Bytes / elementBytes);

    /// <summary>A view that the kernel does not touch.</summary>
    public LaunchArguments NoView() => View(0, 0);

    /// <summary>A 32-bit integer.</summary>
    public LaunchArguments Int(int value) => Append(value);

    /// <summary>A 64-bit integer.</summary>
    public LaunchArguments Long(long value) => Append(value);

    /// <summary>A 32-bit float.</summary>
    public LaunchArguments Float(float value) => Append(value);

    /// <summary>A struct of 32-bit fields.</summary>
    public LaunchArguments Struct<T>(in T value)
        where T : unmanaged => Append(value, alignment: sizeof(int));

    /// <summary>A struct that begins with a view, or holds 64-bit fields.</summary>
    public LaunchArguments WideStruct<T>(in T value)
        where T : unmanaged => Append(value, alignment: sizeof(long));

    private LaunchArguments Append<T>(T value)
        where T : unmanaged => Append(value, Unsafe.SizeOf<T>());

    private LaunchArguments Append<T>(in T value, int alignment)
        where T : unmanaged
    {
        int start = (_length + alignment - 1) / alignment * alignment;
        _bytes.AsSpan(_length, start - _length).Clear();
        MemoryMarshal.Write(_bytes.AsSpan(start), in value);
        _length = start + Unsafe.SizeOf<T>();
        return this;
    }
}
