using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>The half of the lookup table of <see cref="Nf4Decode"/> that stays in registers; the other half is immediate operands.</summary>
internal struct Nf4Table
{
    /// <summary>Low and high bytes of levels 0 to 3 (A) and 8 to 11 (C).</summary>
    public uint LowA, LowC, HighA, HighC;

    /// <summary>
    /// Reads the table back from shared memory. Written as constants, ptxas would keep it in uniform registers and copy it to a register
    /// again at each use in the loop. Contains barriers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Nf4Table Load(uint sharedAddress)
    {
        U4 v;
        v.X = 0x52339200;
        v.Y = 0x68E02618;
        v.Z = 0xB6B8B9BC;
        v.W = 0x3533312D;
        if (Group.IdxX == 0)
        {
            Ptx.StoreShared(sharedAddress, v);
        }

        Group.Barrier();
        v = Ptx.LoadShared16(sharedAddress);
        Group.Barrier();
        return new() { LowA = v.X, LowC = v.Y, HighA = v.Z, HighC = v.W };
    }
}
