using ILGPU;
using static PureSharpQLoRA.PtxMachine.Tests.IlgpuHarness;
using Half = ILGPU.Half;

namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Each kernel: machine against a host result where one is simple, and always against ILGPU's CPU accelerator.</summary>
public static class IlgpuKernelTests
{
    private static readonly Random Random = new(42);

    private static float[] Floats(int n, float scale = 1) => [.. Enumerable.Range(0, n).Select(_ => (float)(Random.NextDouble() * 2 - 1) * scale)];
    private static int[] Ints(int n, int low, int high) => [.. Enumerable.Range(0, n).Select(_ => Random.Next(low, high))];

    /// <summary>Runs an explicitly grouped kernel on both and compares every array.</summary>
    private static (LaunchReport Report, object[] Args) Both(Delegate kernel, Dim3 grid, Dim3 block, double tolerance, params object[] args)
    {
        object[] cpu = Copy(args);
        LaunchReport report = Run(kernel, grid, block, args);
        RunOnCpu(kernel, grid, block, cpu);
        CompareArrays(cpu, args, tolerance);
        return (report, args);
    }

    private static void CompareArrays(object[] expected, object[] actual, double tolerance)
    {
        for (int i = 0; i < actual.Length; i++)
        {
            if (actual[i] is not Array a)
            {
                continue;
            }

            var e = (Array)expected[i];
            for (int k = 0; k < a.Length; k++)
            {
                object x = e.GetValue(k)!, y = a.GetValue(k)!;
                if (x is float or double or Half)
                {
                    Check.Near(ToDouble(x), ToDouble(y), tolerance, $"argument {i}[{k}]");
                }
                else
                {
                    Check.Equal(x, y, $"argument {i}[{k}]");
                }
            }
        }
    }

    private static double ToDouble(object x) => x switch { float f => f, double d => d, Half h => (float)h, _ => 0 };

    [Fact]
    public static void VectorAdd()
    {
        float[] a = Floats(1000), b = Floats(1000), c = new float[1000];
        object[] args = [a, b, c], cpu = Copy(args);
        LaunchReport report = RunIndexed(IlgpuKernels.VectorAdd, new Index1D(1000), 128, args);
        RunIndexedOnCpu(IlgpuKernels.VectorAdd, new Index1D(1000), cpu);
        Assert.Equal<float[]>([.. a.Zip(b, (x, y) => x + y)], c);
        CompareArrays(cpu, args, 0);
        Check.Equal(8000L, report.GlobalReadBytes, "bytes read");
        Check.Equal(4000L, report.GlobalWriteBytes, "bytes written");
        Check.Equal(1.0, report.CoalescingEfficiency, "coalescing");
    }

    [Fact]
    public static void IndexKinds()
    {
        object[] one = [Ints(100, 0, 9), 5];
        object[] oneCpu = Copy(one);
        var (module, name, _) = Compile(((Delegate)IlgpuKernels.Strided1D).Method, false);
        Check.Equal(32, module.GetKernel(name).Parameters[1].Size, "bytes of ArrayView1D<int, Dense>");
        RunIndexed(IlgpuKernels.Strided1D, new Index1D(100), 64, one);
        RunIndexedOnCpu(IlgpuKernels.Strided1D, new Index1D(100), oneCpu);
        CompareArrays(oneCpu, one, 0);
        object[] two = [new int[35 * 19], 35];
        RunIndexed(IlgpuKernels.Index2DFill, new Index2D(35, 19), new Dim3(8, 4), two);
        object[] three = [new int[9 * 5 * 7], 9, 5];
        RunIndexed(IlgpuKernels.Index3DFill, new Index3D(9, 5, 7), new Dim3(4, 2, 4), three);
        Assert.Equal<int[]>([.. Enumerable.Range(0, 35 * 19).Select(i => i % 35 * 1000 + i / 35)], (int[])two[0]);
        Assert.Equal<int[]>([.. Enumerable.Range(0, 9 * 5 * 7).Select(i => i % 9 * 10000 + i / 9 % 5 * 100 + i / 45)], (int[])three[0]);
    }

    [Fact]
    public static void View2D()
    {
        var (module, name, _) = Compile(((Delegate)IlgpuKernels.Transpose2D).Method, false);
        using var machine = new Machine();
        ulong a = machine.Upload(Enumerable.Range(0, 7 * 5).ToArray()), b = machine.Allocate(7 * 5 * 4);
        machine.Launch(module, name, 2, (8, 8), 0, new Index2D(7, 5), new DeviceView2D(a, 7, 5, 7), new DeviceView2D(b, 5, 7, 7));
        int[] result = machine.Download<int>(b, 35);
        for (int x = 0; x < 7; x++)
        {
            for (int y = 0; y < 5; y++)
            {
                Check.Equal(y * 7 + x, result[y * 7 + x], $"({x},{y})");
            }
        }
    }

    [Fact]
    public static void SharedMemoryReduction()
    {
        float[] a = [.. Enumerable.Range(0, 500).Select(i => (float)(i % 17))], sums = new float[4];
        var (report, _) = Both(IlgpuKernels.BlockReduce, 4, 128, 0, a, sums, 500);
        for (int b = 0; b < 4; b++)
        {
            Check.Equal(a.Skip(128 * b).Take(128).Sum(), sums[b], $"block {b}");
        }

        Check.Equal(4L * 8, report.Barriers, "barriers");
    }

    [Fact]
    public static void WarpShuffles()
    {
        float[] a = [.. Enumerable.Range(0, 128).Select(i => (float)i)];
        int[] b = Ints(128, 0, 1000), original = (int[])b.Clone();
        Run(IlgpuKernels.WarpReduce, 2, 64, [a, b]);
        for (int i = 0; i < 128; i++)
        {
            int w = i / 32 * 32, l = i % 32;
            Check.Equal(Enumerable.Range(w, 32).Sum(), (int)a[i], $"sum {i}");
            int up = original[l >= 3 ? i - 3 : i], down = original[l < 27 ? i + 5 : i], first = original[w + ((l * 7) & 31)];
            Check.Equal(up + 3 * down + 11 * first, b[i], $"shuffle {i}");
        }
    }

    [Fact]
    public static void WarpShufflesMatchCpuAccelerator() =>
        Both(IlgpuKernels.WarpReduce, 1, 32, 1e-6, Floats(32), Ints(32, 0, 1000));

    [Fact]
    public static void TiledMatrixMultiply()
    {
        const int n = 48;
        float[] a = Floats(n * n), b = Floats(n * n), c = new float[n * n];
        var (report, _) = Both(IlgpuKernels.TiledMatMul, (3, 3), (16, 16), 1e-5, a, b, c, n);
        for (int r = 0; r < n; r++)
        {
            for (int q = 0; q < n; q++)
            {
                Check.Near(Enumerable.Range(0, n).Sum(k => (double)a[r * n + k] * b[k * n + q]), c[r * n + q], 1e-5, $"c[{r},{q}]");
            }
        }

        Check.Equal(2L * n * n * n / 16 * 4, report.GlobalReadBytes, "bytes read: each element once per tile");
    }

    [Fact]
    public static void HalfArithmetic()
    {
        Half[] a = [.. Floats(128, 3).Select(x => (Half)x)], b = [.. Floats(128, 3).Select(x => (Half)x)];
        Half[] c = new Half[128];
        float[] f = new float[128];
        // ILGPU's own Half truncates on the CPU; System.Half rounds to nearest even after every operation, as the PTX does
        Both(IlgpuKernels.HalfArithmetic, 2, 64, 0.02, a, b, c, f);
        for (int i = 0; i < 128; i++)
        {
            System.Half x = (System.Half)(float)a[i], y = (System.Half)(float)b[i];
            Check.Equal((float)(x * y + x - y), (float)c[i], $"half {i}");
            Check.Equal((float)x * 2 + (x < y ? 1 : 0), f[i], $"float {i}");
        }
    }

    [Fact]
    public static void IntegerAndBitTricks()
    {
        uint[] a = [0, 1, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 12345, .. Ints(58, int.MinValue, int.MaxValue).Select(x => (uint)x)];
        Both(IlgpuKernels.IntegerTricks, 2, 32, 0, a, new int[256], new ulong[64], new byte[64]);
    }

    [Fact]
    public static void LongIndexing() => Both(IlgpuKernels.LongIndexing, 2, 32, 0, Ints(1000, 0, 100), 30L, 15L);

    [Fact]
    public static void AtomicOperations()
    {
        int[] counters = new int[18];
        counters[9] = int.MaxValue;
        counters[12] = -1;
        int[] data = Ints(256, 0, 1000);
        Both(IlgpuKernels.Atomics, 2, 128, 0, counters, new float[1], new ulong[1], data);
        for (int k = 0; k < 8; k++)
        {
            Check.Equal(data.Count(v => (v & 7) == k), counters[k], $"counter {k}");
        }

        Check.Equal(data.Max(), counters[8], "max");
        Check.Equal(4711, counters[13], "compare and swap");
        for (int k = 0; k < 4; k++)
        {
            Check.Equal(data.Count(v => (v & 3) == k), counters[14 + k], $"shared counter {k}");
        }
    }

    [Fact]
    public static void StructParameters()
    {
        Particle[] p = [.. Enumerable.Range(0, 64).Select(i => new Particle { X = i, Mass = i * 0.5, Kind = (byte)i, Id = i * 7 })];
        Both(IlgpuKernels.StructParams, 2, 32, 1e-6, p, new Particle { X = 1, Mass = 3, Kind = 2, Id = 5 }, new ScaleBy<float>(2.5f), new float[64]);
    }

    [Fact]
    public static void GenericKernels()
    {
        float[] a = Floats(64 * 5);
        object[] sum = [a.Clone(), new float[64], default(SumFold), 5], max = [a.Clone(), new float[64], default(MaxFold), 5];
        Both(IlgpuKernels.GenericFold<SumFold>, 2, 32, 1e-6, sum);
        Both(IlgpuKernels.GenericFold<MaxFold>, 2, 32, 0, max);
        Check.Equal(a.Take(5).Max(), ((float[])max[1])[0], "maximum");
    }

    [Fact]
    public static void DivergentLoops()
    {
        int[] a = Ints(128, 1, 3000);
        Both(IlgpuKernels.Collatz, 2, 64, 0, a, new int[128]);
    }

    [Fact]
    public static void SwitchTable() => Both(IlgpuKernels.SwitchTable, 1, 64, 1e-6, Ints(65, -2, 9), new float[64]);

    [Fact]
    public static void DeviceFunctionCalls()
    {
        Particle[] p = [.. Enumerable.Range(0, 64).Select(i => new Particle { X = i * 0.1f, Mass = i, Kind = (byte)i, Id = i })];
        object[] args = [p, new float[64]], cpu = Copy(args);
        var (module, name, ptx) = Compile(((Delegate)IlgpuKernels.DeviceFunctions).Method, true, level: OptimizationLevel.O0);
        Assert.True(ptx.Contains("call"), "the PTX should call functions");
        LaunchReport report = Run(IlgpuKernels.DeviceFunctions, 2, 32, args, level: OptimizationLevel.O0);
        RunOnCpu(IlgpuKernels.DeviceFunctions, 2, 32, cpu);
        CompareArrays(cpu, args, 1e-6);
        Assert.True(report.CountOf("call") >= 2, "calls executed");
    }

    [Fact]
    public static void MathFunctions()
    {
        float[] a = [0, 1, -1, 0.5f, -0.25f, 3, -3, 10, .. Floats(56, 4)];
        float[] r = new float[512];
        Both(IlgpuKernels.MathFunctions, 2, 32, 2e-6, a, r, new double[64]);
        for (int i = 0; i < 64; i++)
        {
            Check.Near(Math.Exp(a[i]), r[8 * i], 3e-6, $"exp({a[i]})");
            Check.Near(1 / Math.Sqrt(Math.Abs(a[i]) + 0.1), r[8 * i + 1], 3e-6, $"rsqrt({a[i]})");
            Check.Near(Math.Tanh(a[i]), r[8 * i + 2], 3e-6, $"tanh({a[i]})");
        }
    }

    [Fact]
    public static void FastMathFunctions()
    {
        float[] a = [0, 1, -1, .. Floats(61, 4)];
        object[] args = [a, new float[512], new double[64]], cpu = Copy(args);
        Run(IlgpuKernels.MathFunctions, 2, 32, args, fast: true);
        RunOnCpu(IlgpuKernels.MathFunctions, 2, 32, cpu);
        CompareArrays(cpu, args, 2e-6);
    }

    [Fact]
    public static void LocalMemoryArrays() => Both(IlgpuKernels.LocalArrays, 2, 32, 0, Ints(64, 0, 1000), new int[64]);

    [Fact]
    public static void DynamicSharedMemory()
    {
        float[] a = Floats(128), original = (float[])a.Clone();
        Run(IlgpuKernels.DynamicShared, 2, 64, [a], dynamicShared: 64 * 4);
        for (int i = 0; i < 128; i++)
        {
            Check.Equal(original[i / 64 * 64 + 63 - i % 64] + 64, a[i], $"element {i}");
        }

        object[] cpu = [original];
        RunOnCpu(IlgpuKernels.DynamicShared, 2, 64, cpu, 64, typeof(float));
        Assert.Equal<float[]>((float[])cpu[0], a);
    }

    [Fact]
    public static void BarrierReductions() => Both(IlgpuKernels.GroupVotes, 2, 96, 0, Ints(192, 0, 100), new int[192]);

    [Fact]
    public static void VectorisedAccess()
    {
        var (report, _) = Both(IlgpuKernels.Vectorised, 2, 32, 1e-6, Floats(256), new float[256]);
        Assert.True(report.CountOf("ld.global.v4") == 2, "one 16-byte load per warp");
    }
}
