using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Half = ILGPU.Half;

namespace PureSharpQLoRA.PtxMachine.Tests;

public struct Particle
{
    public float X;
    public double Mass;
    public byte Kind;
    public int Id;
}

public readonly struct ScaleBy<T>(T factor) where T : unmanaged
{
    public readonly T Factor = factor;
}

public interface IFold { float Fold(float a, float b); }
public readonly struct SumFold : IFold { public float Fold(float a, float b) => a + b; }
public readonly struct MaxFold : IFold { public float Fold(float a, float b) => a > b ? a : b; }

/// <summary>Kernels without inline PTX: they run on the machine and on ILGPU's CPU accelerator.</summary>
public static class IlgpuKernels
{
    public static void VectorAdd(Index1D i, ArrayView<float> a, ArrayView<float> b, ArrayView<float> c) => c[i] = a[i] + b[i];

    public static void Strided1D(Index1D i, ArrayView1D<int, Stride1D.Dense> a, int add) => a[i] += add;

    /// <summary>a is 7 x 5 with x fastest; b is 5 x 7 with y fastest, so both hold the same bytes.</summary>
    public static void Transpose2D(Index2D i, ArrayView2D<int, Stride2D.DenseX> a, ArrayView2D<int, Stride2D.DenseY> b) => b[i.Y, i.X] = a[i];

    public static void Index2DFill(Index2D i, ArrayView<int> a, int width) => a[i.Y * width + i.X] = i.X * 1000 + i.Y;

    public static void Index3DFill(Index3D i, ArrayView<int> a, int width, int height) => a[(i.Z * height + i.Y) * width + i.X] = i.X * 10000 + i.Y * 100 + i.Z;

    public static void BlockReduce(ArrayView<float> a, ArrayView<float> sums, int n)
    {
        var s = SharedMemory.Allocate<float>(128);
        int i = Grid.GlobalIndex.X;
        s[Group.IdxX] = i < n ? a[i] : 0f;
        Group.Barrier();
        for (int step = 64; step > 0; step >>= 1)
        {
            if (Group.IdxX < step)
            {
                s[Group.IdxX] += s[Group.IdxX + step];
            }

            Group.Barrier();
        }
        if (Group.IdxX == 0)
        {
            sums[Grid.IdxX] = s[0];
        }
    }

    public static void WarpReduce(ArrayView<float> a, ArrayView<int> b)
    {
        float v = a[Grid.GlobalIndex.X];
        for (int o = 16; o > 0; o >>= 1)
        {
            v += Warp.ShuffleXor(v, o);
        }

        int up = Warp.ShuffleUp(b[Grid.GlobalIndex.X], 3), down = Warp.ShuffleDown(b[Grid.GlobalIndex.X], 5);
        int first = Warp.Shuffle(b[Grid.GlobalIndex.X], (Warp.LaneIdx * 7) & 31);
        a[Grid.GlobalIndex.X] = v;
        b[Grid.GlobalIndex.X] = up + 3 * down + 11 * first;
    }

    public static void TiledMatMul(ArrayView<float> a, ArrayView<float> b, ArrayView<float> c, int n)
    {
        var ta = SharedMemory.Allocate<float>(256);
        var tb = SharedMemory.Allocate<float>(256);
        int row = Grid.IdxY * 16 + Group.IdxY, col = Grid.IdxX * 16 + Group.IdxX;
        float sum = 0;
        for (int t = 0; t < n; t += 16)
        {
            ta[Group.IdxY * 16 + Group.IdxX] = a[row * n + t + Group.IdxX];
            tb[Group.IdxY * 16 + Group.IdxX] = b[(t + Group.IdxY) * n + col];
            Group.Barrier();
            for (int k = 0; k < 16; k++)
            {
                sum += ta[Group.IdxY * 16 + k] * tb[k * 16 + Group.IdxX];
            }

            Group.Barrier();
        }
        c[row * n + col] = sum;
    }

    public static void HalfArithmetic(ArrayView<Half> a, ArrayView<Half> b, ArrayView<Half> c, ArrayView<float> f)
    {
        int i = Grid.GlobalIndex.X;
        c[i] = a[i] * b[i] + a[i] - b[i];
        f[i] = (float)a[i] * 2f + (a[i] < b[i] ? 1f : 0f);
    }

    public static void IntegerTricks(ArrayView<uint> a, ArrayView<int> r, ArrayView<ulong> w, ArrayView<byte> bytes)
    {
        int i = Grid.GlobalIndex.X;
        uint x = a[i];
        uint h = x * 0x9E3779B9u;
        h ^= h >> 15;
        h = (h << 7) | (h >> 25);
        int s = (int)x;
        r[4 * i] = IntrinsicMath.PopCount(x) * 256 + IntrinsicMath.BitOperations.LeadingZeroCount(x);
        r[4 * i + 1] = s / 7 + s % 13 + (int)(x / 11u) + (int)(x % 5u);
        r[4 * i + 2] = (short)h + (sbyte)(x >> 3) + (s >> 4);
        r[4 * i + 3] = (int)(h >> 3) ^ ~s ^ (s < 0 ? -s : s) ^ IntrinsicMath.Max(s, 77) ^ IntrinsicMath.Min(s, -5);
        ulong l = ((ulong)x << 32) | h;
        w[i] = l * 0xD1342543DE82EF95UL + (l >> 29) + (ulong)((long)l >> 3) + l / 1000003UL;
        bytes[i] = (byte)(x & 15 | h << 4);
    }

    public static void LongIndexing(ArrayView<int> a, long offset, long stride)
    {
        long i = offset + Grid.GlobalIndex.X * stride;
        a[i] = (int)(i * 3 + a[i]);
    }

    public static void Atomics(ArrayView<int> counters, ArrayView<float> total, ArrayView<ulong> big, ArrayView<int> data)
    {
        var s = SharedMemory.Allocate<int>(4);
        if (Group.IdxX < 4)
        {
            s[Group.IdxX] = 0;
        }

        Group.Barrier();
        int v = data[Grid.GlobalIndex.X];
        Atomic.Add(ref s[v & 3], 1);
        Atomic.Add(ref counters[v & 7], 1);
        Atomic.Max(ref counters[8], v);
        Atomic.Min(ref counters[9], v);
        Atomic.Or(ref counters[10], 1 << (v & 31));
        Atomic.Xor(ref counters[11], v);
        Atomic.And(ref counters[12], v | 0xFF);
        Atomic.Add(ref total[0], 0.25f);
        Atomic.Add(ref big[0], (ulong)v);
        Atomic.CompareExchange(ref counters[13], 0, 4711);
        Group.Barrier();
        if (Group.IdxX < 4)
        {
            Atomic.Add(ref counters[14 + Group.IdxX], s[Group.IdxX]);
        }
    }

    public static void StructParams(ArrayView<Particle> p, Particle add, ScaleBy<float> scale, ArrayView<float> result)
    {
        int i = Grid.GlobalIndex.X;
        Particle q = p[i];
        q.X = (q.X + add.X) * scale.Factor;
        q.Mass *= add.Mass;
        q.Kind += add.Kind;
        q.Id -= add.Id;
        p[i] = q;
        result[i] = q.X + (float)q.Mass + q.Kind + q.Id;
    }

    public static void GenericFold<TFold>(ArrayView<float> a, ArrayView<float> r, TFold fold, int n) where TFold : unmanaged, IFold
    {
        float v = a[Grid.GlobalIndex.X * n];
        for (int k = 1; k < n; k++)
        {
            v = fold.Fold(v, a[Grid.GlobalIndex.X * n + k]);
        }

        r[Grid.GlobalIndex.X] = v;
    }

    public static void Collatz(ArrayView<int> a, ArrayView<int> steps)
    {
        int i = Grid.GlobalIndex.X;
        int n = a[i], count = 0;
        while (n != 1)
        {
            if ((n & 1) == 0)
            {
                n >>= 1;
            }
            else
            {
                n = 3 * n + 1;
                if (n > 100000) { count += 1000; break; }
            }
            count++;
            for (int k = 0; k < (n & 3); k++)
            {
                if (k == 2 && (count & 1) == 0)
                {
                    continue;
                }

                count += k & 1;
            }
        }
        steps[i] = count;
    }

    public static void SwitchTable(ArrayView<int> a, ArrayView<float> r)
    {
        int i = Grid.GlobalIndex.X;
        r[i] = a[i] switch { 0 => 1.5f, 1 => -2f, 2 => i * 3f, 3 => a[i + 1], 4 => 0.125f, 5 => 99f, 6 => MathF.Sqrt(i), _ => -1f };
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Horner(float x, float a, float b, float c) => (a * x + b) * x + c;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Particle Move(Particle p, float dx)
    {
        if (p.Id % 3 == 0)
        {
            return p;
        }

        p.X = Horner(p.X, dx, 1f, 2f);
        p.Id += 100;
        return p;
    }

    public static void DeviceFunctions(ArrayView<Particle> p, ArrayView<float> r)
    {
        int i = Grid.GlobalIndex.X;
        Particle q = p[i];
        if ((i & 1) == 0)
        {
            q = Move(q, 0.5f);
        }

        r[i] = Horner(q.X, 0.5f, 2f, i) + q.Id;
        p[i] = q;
    }

    public static void MathFunctions(ArrayView<float> a, ArrayView<float> r, ArrayView<double> d)
    {
        int i = Grid.GlobalIndex.X;
        float x = a[i];
        r[8 * i] = XMath.Exp(x);
        r[8 * i + 1] = XMath.Rsqrt(XMath.Abs(x) + 0.1f);
        r[8 * i + 2] = XMath.Tanh(x);
        r[8 * i + 3] = XMath.Log(XMath.Abs(x) + 1f);
        r[8 * i + 4] = XMath.Sin(x) + XMath.Cos(x);
        r[8 * i + 5] = XMath.Sqrt(XMath.Abs(x)) / (x * x + 1f);
        r[8 * i + 6] = XMath.Floor(x) + XMath.Ceiling(x) + (int)x;
        r[8 * i + 7] = XMath.Max(x, 0.25f) + XMath.Min(x, 0.75f);
        d[i] = x * (double)x + i / 3.0;
    }

    public static void LocalArrays(ArrayView<int> a, ArrayView<int> r)
    {
        int i = Grid.GlobalIndex.X;
        var local = LocalMemory.Allocate1D<int>(16);
        for (int k = 0; k < 16; k++)
        {
            local[k] = a[i] * k + (k ^ i);
        }

        int at = a[i] & 15, sum = 0;
        for (int k = 0; k < 16; k++)
        {
            sum = sum * 3 + local[at];
            at = (at + local[k] & 0x7fffffff) & 15;
        }
        r[i] = sum;
    }

    public static void DynamicShared(ArrayView<float> a)
    {
        var s = SharedMemory.GetDynamic<float>();
        s[Group.IdxX] = a[Grid.GlobalIndex.X] + s.IntLength;
        Group.Barrier();
        a[Grid.GlobalIndex.X] = s[Group.DimX - 1 - Group.IdxX];
    }

    public static void GroupVotes(ArrayView<int> a, ArrayView<int> r)
    {
        int i = Grid.GlobalIndex.X;
        int count = Group.BarrierPopCount(a[i] > 50);
        bool all = Group.BarrierAnd(a[i] >= 0), any = Group.BarrierOr(a[i] == 7);
        r[i] = count * 4 + (all ? 2 : 0) + (any ? 1 : 0);
    }

    public static void Vectorised(ArrayView<float> a, ArrayView<float> b)
    {
        var s = a.Cast<Float4>();
        Float4 v = s[Grid.GlobalIndex.X];
        v.X += v.W;
        v.Y *= 2f;
        b.Cast<Float4>()[Grid.GlobalIndex.X] = v;
    }
}

public struct Float4 { public float X, Y, Z, W; }
