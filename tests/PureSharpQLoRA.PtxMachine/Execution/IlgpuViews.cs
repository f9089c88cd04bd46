using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

// Kernel parameter layouts of ILGPU 1.5 (Backends/PointerViews: a view becomes pointer and length; the other fields of a
// view structure follow in declaration order; an empty stride structure takes one byte). An implicitly grouped kernel has
// one more parameter in front: the index extent (Index1D = int, Index2D = two ints, Index3D = three ints).

/// <summary>ILGPU's ArrayView{T}: pointer and element count.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct DeviceView(ulong Pointer, long Length);

/// <summary>ILGPU's ArrayView1D{T, Stride1D.Dense}.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct DeviceView1D(ulong pointer, long length)
{
    public readonly ulong Pointer = pointer;
    public readonly long Length = length;
    public readonly long Extent = length;
    private readonly byte stride;
}

/// <summary>ILGPU's ArrayView2D{T, Stride2D.DenseX} (or DenseY): extents as longs and the leading dimension.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct DeviceView2D(ulong pointer, long extentX, long extentY, int leadingDimension)
{
    public readonly ulong Pointer = pointer;
    public readonly long Length = extentX * extentY;
    public readonly long ExtentX = extentX;
    public readonly long ExtentY = extentY;
    public readonly int LeadingDimension = leadingDimension;
}
