using static PureSharpQLoRA.PtxMachine.Tests.IlgpuHarness;

namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>C# kernels with inline PTX, compiled by ILGPU and checked against host products.</summary>
public static class InlinePtxTests
{
    private static readonly Random Random = new(3);

    private static Half[] Halves(int n) => [.. Enumerable.Range(0, n).Select(_ => (Half)(Random.Next(-64, 65) / 32.0))];

    private static T[] Cast<T>(Half[] data) where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Cast<Half, T>(data).ToArray();

    private static double Dot(Half[] a, Half[] b, int row, int col, int k) => Enumerable.Range(0, k).Sum(i => (double)a[row * k + i] * (double)b[col * k + i]);

    [Fact]
    public static void MmaFragments()
    {
        Half[] a = Halves(16 * 8), b = Halves(8 * 8);
        float[] c = [.. Enumerable.Range(0, 128).Select(_ => (float)Random.NextDouble())], d = (float[])c.Clone();
        LaunchReport report = Run(InlinePtxKernels.MmaTile, 1, 32, [Cast<uint>(a), Cast<uint>(b), d]);
        for (int row = 0; row < 16; row++)
        {
            for (int col = 0; col < 8; col++)
            {
                Check.Near(c[row * 8 + col] + Dot(a, b, row, col, 8), d[row * 8 + col], 1e-6, $"d[{row},{col}]");
            }
        }

        Check.Equal((1L, 1024L), (report.MmaInstructions, report.MmaMultiplyAdds), "mma");
    }

    [Fact]
    public static void LdmatrixThroughIlgpu()
    {
        Half[] source = Halves(256);
        var target = new Chunk[32];
        Run(InlinePtxKernels.LoadMatrices, 1, 32, [Cast<Chunk>(source), target]);
        uint[] words = Cast<uint>(source);
        for (int lane = 0; lane < 32; lane++)
        {
            Check.Equal(words[lane / 4 * 4 + lane % 4], target[lane].X, "matrix 0");
            Check.Equal(words[(8 + lane / 4) * 4 + lane % 4], target[lane].Y, "matrix 1");
            Check.Equal(words[(16 + lane / 4) * 4 + lane % 4], target[lane].Z, "matrix 2");
            Check.Equal(words[(24 + lane / 4) * 4 + lane % 4], target[lane].W, "matrix 3");
        }
    }

    [Fact]
    public static void AsyncPipeline()
    {
        Chunk[] source = [.. Enumerable.Range(0, 64 * 5).Select(i => new Chunk { X = (uint)i, Y = 1, Z = 2, W = (uint)i * 3 })], target = new Chunk[64 * 5];
        var (module, name, _) = Compile(((Delegate)InlinePtxKernels.PipelinedCopy).Method, true, 80);
        using var machine = new Machine();
        ulong output = machine.Allocate(64 * 5 * 16);
        LaunchReport report = machine.Launch(module, name, 1, 64, 0, machine.Upload(source), new DeviceView(output, 64 * 5), 5);
        machine.Download<Chunk>(output, target);
        Check.Equal(64L * 5 * 16, report.GlobalReadBytes, "bytes copied");
        for (int k = 0; k < 5; k++)
        {
            for (int t = 0; t < 64; t++)
            {
                Check.Equal(source[k * 64 + 63 - t], target[k * 64 + t], $"tile {k} element {t}");
            }
        }
    }

    [Fact]
    public static void PackedHalves()
    {
        Half[] a = Halves(128), b = Halves(128);
        uint[] r = Cast<uint>(b);
        Run(InlinePtxKernels.PackedHalves, 2, 32, [Cast<uint>(a), r]);
        for (int i = 0; i < 128; i++)
        {
            Half expected = (Half)((double)a[i] * (double)b[i] + (double)a[i]);
            Check.Equal(expected, BitConverter.UInt16BitsToHalf((ushort)(r[i / 2] >> (16 * (1 - i % 2)))), $"element {i}");
        }
    }

    private static (LaunchReport Report, Half[] A, Half[] B, float[] C) Gemm(int m, int n, int k, MachineOptions? options = null)
    {
        Half[] a = Halves(m * k), b = Halves(n * k);
        var c = new float[m * n];
        LaunchReport report = Run(InlinePtxKernels.Gemm64, (n / 64, m / 64), 128, [Cast<Chunk>(a), Cast<Chunk>(b), c, n, k], sm: 80, options: options);
        return (report, a, b, c);
    }

    [Fact]
    public static void TensorCoreGemm()
    {
        const int m = 128, n = 128, k = 128;
        var (report, a, b, c) = Gemm(m, n, k);
        for (int row = 0; row < m; row++)
        {
            for (int col = 0; col < n; col++)
            {
                Check.Near(Dot(a, b, row, col, k), c[row * n + col], 1e-6, $"c[{row},{col}]");
            }
        }

        Check.Equal((long)m * n * k / (16 * 8 * 16), report.MmaInstructions, "mma count");
        Check.Equal(0L, report.BankConflictsOf("ldmatrix"), "80-byte rows keep ldmatrix free of conflicts");
        // a quarter-warp stores chunks 0..3 and 5..8, and chunk 8 lies in the banks of chunk 0: one extra pass each time
        Check.Equal(4L * report.CountOf("st.shared.v4"), report.BankConflictsOf("st.shared.v4"), "conflicts of the stores");
        // every block reads 64 rows of A and of B once
        Check.Equal(4L * (64 * k * 2 + 64 * k * 2), report.GlobalReadBytes, "bytes read");
        Check.Equal((long)m * n * 4, report.GlobalWriteBytes, "bytes written");
    }

    [Fact]
    public static void ChecksChangeNeitherResultNorCounts()
    {
        const int n = 64;
        foreach (bool checks in new[] { true, false })
        {
            var options = new MachineOptions { CheckRaces = checks, CheckUninitialized = checks, CountMemoryTraffic = checks };
            var (report, a, b, c) = Gemm(n, n, n, options);
            for (int row = 0; row < n; row++)
            {
                for (int col = 0; col < n; col++)
                {
                    Check.Near(Dot(a, b, row, col, n), c[row * n + col], 1e-6, $"checks {checks}: c[{row},{col}]");
                }
            }
            Check.Equal((long)n * n * n / (16 * 8 * 16), report.MmaInstructions, $"mma count, checks {checks}");
        }
    }
}
