using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>The size of the product that stays in registers: 8 x 48 fp32 sums are 24 of the 32 AVX-512 registers.</summary>
internal static class Tile
{
    /// <summary>Rows of a left panel.</summary>
    public const int Rows = 8;

    /// <summary>Columns of a right panel.</summary>
    public const int Columns = 48;

    /// <summary>Columns of the narrow product, for the rank of an adapter.</summary>
    public const int NarrowColumns = 16;

    /// <summary>Panels consist of 4-byte units: an fp32 value, or a pair of bf16 values that follow each other in the reduction.</summary>
    public const int UnitBytes = 4;
}

/// <summary>The operands of one tile product; assembled code reads the fields by their offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TileCall
{
    /// <summary>How many units of every row are multiplied.</summary>
    public nint Steps;

    /// <summary>Left panel, [Steps][8] units.</summary>
    public float* Left;

    /// <summary>Right panel, [Steps][48] units, aligned to 64 bytes.</summary>
    public float* Right;

    /// <summary>Where the 8 x 48 (narrow: 8 x 16) result goes.</summary>
    public float* Output;

    /// <summary>Distance between output rows, in elements.</summary>
    public nint OutputStride;

    /// <summary>Factor on the product.</summary>
    public float Scale;

    /// <summary>1 adds to what is there, 0 overwrites it.</summary>
    public int Accumulate;

    /// <summary>Computes only the first 16 columns; the layout of the right panel is the same.</summary>
    public bool Narrow;
}

/// <summary>Multiplies one packed left panel by one packed right panel.</summary>
internal abstract class TileKernel
{
    /// <summary>Whether a unit is a pair of bf16 values instead of one fp32 value.</summary>
    public abstract bool IsBf16 { get; }

    /// <summary>Values of the reduction in a unit.</summary>
    public int ValuesPerUnit => IsBf16 ? 2 : 1;

    /// <summary>Computes one tile.</summary>
    public abstract void Run(in TileCall call);
}
