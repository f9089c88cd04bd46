using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace PureSharpQLoRA.PtxMachine.Tests;

public struct Chunk { public uint X, Y, Z, W; }

public struct Accumulator { public float X, Y, Z, W; }

public struct AccumulatorRow { public Accumulator N0, N1, N2, N3; }

/// <summary>C# kernels with inline PTX: tensor-core fragments, ldmatrix and cp.async.</summary>
public static class InlinePtxKernels
{
    /// <summary>D = A B + C for one 16x8x8 tile; a is 16x8 halves in row order, b is 8 columns of 8 halves.</summary>
    public static void MmaTile(ArrayView<uint> a, ArrayView<uint> b, ArrayView<float> c)
    {
        int lane = Warp.LaneIdx, g = lane >> 2, t = lane & 3;
        Input<uint> a0 = a[g * 4 + t], a1 = a[(g + 8) * 4 + t], b0 = b[g * 4 + t];
        Ref<float> c0 = c[g * 8 + 2 * t], c1 = c[g * 8 + 2 * t + 1], c2 = c[(g + 8) * 8 + 2 * t], c3 = c[(g + 8) * 8 + 2 * t + 1];
        CudaAsm.EmitRef("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};", ref c0, ref c1, ref c2, ref c3, ref a0, ref a1, ref b0);
        c[g * 8 + 2 * t] = c0.Value;
        c[g * 8 + 2 * t + 1] = c1.Value;
        c[(g + 8) * 8 + 2 * t] = c2.Value;
        c[(g + 8) * 8 + 2 * t + 1] = c3.Value;
    }

    // ILGPU has no way to turn a reference into an address for inline PTX, but it names its shared arrays
    // __shared_alloca0, 1, ... in the order of their allocation, and a kernel may take a global address as a long.

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Chunk LoadMatrix(uint address)
    {
        Output<uint> x = default, y = default, z = default, w = default;
        Input<uint> a = address;
        CudaAsm.EmitRef("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];", ref x, ref y, ref z, ref w, ref a);
        return new Chunk { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
    }

    /// <summary>One warp reads four 8x8 matrices from shared memory.</summary>
    public static void LoadMatrices(ArrayView<Chunk> source, ArrayView<Chunk> target)
    {
        var tile = SharedMemory.Allocate<Chunk>(32);
        tile[Group.IdxX] = source[Group.IdxX];
        Group.Barrier();
        CudaAsm.Emit("mov.u32 %0, __shared_alloca0;", out uint address);
        target[Group.IdxX] = LoadMatrix(address + 16 * (uint)Group.IdxX);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyAsync(uint target, long source) => CudaAsm.Emit("cp.async.cg.shared.global [%0], [%1], 16;", target, source);

    /// <summary>Copies tiles of 64 chunks through two shared buffers with one cp.async group in flight.</summary>
    public static void PipelinedCopy(long source, ArrayView<Chunk> target, int tiles)
    {
        var buffer = SharedMemory.Allocate<Chunk>(128);
        int t = Group.IdxX;
        CudaAsm.Emit("mov.u32 %0, __shared_alloca0;", out uint address);
        CopyAsync(address + 16 * (uint)t, source + 16 * t);
        CudaAsm.Emit("cp.async.commit_group;");
        for (int k = 0; k < tiles; k++)
        {
            if (k + 1 < tiles)
            {
                CopyAsync(address + 16 * (uint)(((k + 1) & 1) * 64 + t), source + 16 * ((k + 1) * 64 + t));
            }

            CudaAsm.Emit("cp.async.commit_group;");
            CudaAsm.Emit("cp.async.wait_group 1;");
            Group.Barrier();
            target[k * 64 + t] = buffer[(k & 1) * 64 + (63 - t)];
            Group.Barrier();
        }
    }

    public static void PackedHalves(ArrayView<uint> a, ArrayView<uint> b)
    {
        int i = Grid.GlobalIndex.X;
        CudaAsm.Emit("fma.rn.f16x2 %0, %1, %2, %3;", out uint r, a[i], b[i], a[i]);
        CudaAsm.Emit("{ .reg .b16 l, h; mov.b32 {l, h}, %1; mov.b32 %0, {h, l}; }", out uint swapped, r);
        b[i] = swapped;
    }

    private const int Stride = 5; // a row of 32 halves is 4 chunks, padded to 5 to spread the banks

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Accumulator Mma(Accumulator c, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1)
    {
        Ref<float> x = c.X, y = c.Y, z = c.Z, w = c.W;
        Input<uint> i0 = a0, i1 = a1, i2 = a2, i3 = a3, j0 = b0, j1 = b1;
        CudaAsm.EmitRef("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};", ref x, ref y, ref z, ref w, ref i0, ref i1, ref i2, ref i3, ref j0, ref j1);
        return new Accumulator { X = x.Value, Y = y.Value, Z = z.Value, W = w.Value };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static AccumulatorRow Row(AccumulatorRow r, Chunk a, Chunk b01, Chunk b23)
    {
        r.N0 = Mma(r.N0, a.X, a.Y, a.Z, a.W, b01.X, b01.Y);
        r.N1 = Mma(r.N1, a.X, a.Y, a.Z, a.W, b01.Z, b01.W);
        r.N2 = Mma(r.N2, a.X, a.Y, a.Z, a.W, b23.X, b23.Y);
        r.N3 = Mma(r.N3, a.X, a.Y, a.Z, a.W, b23.Z, b23.W);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Save(Accumulator v, ArrayView<float> c, int at, int n)
    {
        c[at] = v.X;
        c[at + 1] = v.Y;
        c[at + 8 * n] = v.Z;
        c[at + 8 * n + 1] = v.W;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SaveRow(AccumulatorRow r, ArrayView<float> c, int at, int n)
    {
        Save(r.N0, c, at, n);
        Save(r.N1, c, at + 8, n);
        Save(r.N2, c, at + 16, n);
        Save(r.N3, c, at + 24, n);
    }

    /// <summary>C[M,N] = A[M,K] B[N,K]^T in tiles of 64x64x32 by 128 threads; each warp owns 32x32.</summary>
    public static void Gemm64(ArrayView<Chunk> a, ArrayView<Chunk> b, ArrayView<float> c, int n, int k)
    {
        var sa = SharedMemory.Allocate<Chunk>(64 * Stride);
        var sb = SharedMemory.Allocate<Chunk>(64 * Stride);
        int tid = Group.IdxX, lane = tid & 31, warp = tid >> 5, chunks = k >> 3;
        int m0 = Grid.IdxY * 64, n0 = Grid.IdxX * 64, wm = (warp >> 1) * 32, wn = (warp & 1) * 32;
        int aRow = (wm + (lane & 15)) * Stride + (lane >> 4), bRow = (wn + (lane & 7) + ((lane >> 4) << 3)) * Stride + ((lane >> 3) & 1);
        CudaAsm.Emit("mov.u32 %0, __shared_alloca0;", out uint baseA);
        CudaAsm.Emit("mov.u32 %0, __shared_alloca1;", out uint baseB);
        AccumulatorRow r0 = default, r1 = default;
        for (int step = 0; step < chunks; step += 4)
        {
            for (int j = tid; j < 256; j += 128)
            {
                sa[(j >> 2) * Stride + (j & 3)] = a[(m0 + (j >> 2)) * chunks + step + (j & 3)];
                sb[(j >> 2) * Stride + (j & 3)] = b[(n0 + (j >> 2)) * chunks + step + (j & 3)];
            }
            Group.Barrier();
            for (int half = 0; half < 4; half += 2)
            {
                Chunk b01 = LoadMatrix(baseB + 16 * (uint)(bRow + half)), b23 = LoadMatrix(baseB + 16 * (uint)(bRow + 16 * Stride + half));
                r0 = Row(r0, LoadMatrix(baseA + 16 * (uint)(aRow + half)), b01, b23);
                r1 = Row(r1, LoadMatrix(baseA + 16 * (uint)(aRow + 16 * Stride + half)), b01, b23);
            }
            Group.Barrier();
        }
        int at = (m0 + wm + (lane >> 2)) * n + n0 + wn + (lane & 3) * 2;
        SaveRow(r0, c, at, n);
        SaveRow(r1, c, at + 16 * n, n);
    }
}
