
namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>
/// Every mma shape and matrix move in hand-written PTX against a naive product. The fragment positions below are written
/// out case by case from the PTX ISA manual ("Matrix Fragments for mma..."), independently of the machine's tables.
/// </summary>
public static class MatrixInstructionTests
{
    private static readonly Random Random = new(5);

    private delegate (int Row, int Col) Position(int group, int thread, int i);

    private sealed record Shape(string Name, int M, int N, int K, int A, int B, int C, Position RowA, Position RowB, Position RowC);

    private static readonly Position C16 = (g, t, i) => (i < 2 ? g : g + 8, t * 2 + (i & 1));

    private static readonly Shape Half16x8x8 = new("m16n8k8", 16, 8, 8, 4, 2, 4,
        (g, t, i) => (i < 2 ? g : g + 8, t * 2 + (i & 1)), (g, t, i) => (t * 2 + i, g), C16);

    private static readonly Shape Half16x8x16 = new("m16n8k16", 16, 8, 16, 8, 4, 4,
        (g, t, i) => (i is 0 or 1 or 4 or 5 ? g : g + 8, i < 4 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8),
        (g, t, i) => (i < 2 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8, g), C16);

    private static readonly Shape Tf16x8x4 = new("m16n8k4", 16, 8, 4, 2, 1, 4, (g, t, i) => (i == 0 ? g : g + 8, t), (g, t, _) => (t, g), C16);

    private static readonly Shape Tf16x8x8 = new("m16n8k8", 16, 8, 8, 4, 2, 4,
        (g, t, i) => (i is 0 or 2 ? g : g + 8, i < 2 ? t : t + 4), (g, t, i) => (i == 0 ? t : t + 4, g), C16);

    private static readonly Shape Byte16x8x16 = new("m16n8k16", 16, 8, 16, 8, 4, 4, (g, t, i) => (i < 4 ? g : g + 8, t * 4 + (i & 3)), (g, t, i) => (t * 4 + (i & 3), g), C16);

    private static readonly Shape Byte16x8x32 = new("m16n8k32", 16, 8, 32, 16, 8, 4,
        (g, t, i) => (i is >= 0 and < 4 or >= 8 and < 12 ? g : g + 8, i < 8 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16),
        (g, t, i) => (i < 4 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16, g), C16);

    private static readonly Shape Byte8x8x16 = new("m8n8k16", 8, 8, 16, 4, 4, 2, (g, t, i) => (g, t * 4 + i), (g, t, i) => (t * 4 + i, g), (g, t, i) => (g, t * 2 + i));

    private static readonly Shape Double8x8x4 = new("m8n8k4", 8, 8, 4, 1, 1, 2, (g, t, _) => (g, t), (g, t, _) => (t, g), (g, t, i) => (g, t * 2 + i));

    /// <summary>Runs one mma on per-lane register images and returns the per-lane result registers.</summary>
    private static T[] RunMma<T>(string instruction, string regType, string accType, int na, int nb, int nc, uint[] a, uint[] b, T[] c) where T : unmanaged
    {
        int size = System.Runtime.CompilerServices.Unsafe.SizeOf<T>(), operand = regType == "f64" ? 8 : 4;
        string List(string prefix, int n) => "{" + string.Join(", ", Enumerable.Range(0, n).Select(i => $"%{prefix}{i}")) + "}";
        string Loads(string prefix, string type, string pointer, int n, int width) => string.Join("\n", Enumerable.Range(0, n).Select(i => $"ld.global.{type} %{prefix}{i}, [%{pointer}+{i * width}];"));
        string ptx = Snippet.Header + $$"""
            .visible .entry k(.param .b64 pa, .param .b64 pb, .param .b64 pc, .param .b64 pd)
            {
                .reg .b64 %p<8>; .reg .u32 %t;
                .reg .{{regType}} %a<8>, %b<8>; .reg .{{accType}} %c<8>, %d<8>;
                mov.u32 %t, %laneid;
                ld.param.b64 %p0, [pa]; mad.wide.u32 %p4, %t, {{na * operand}}, %p0;
                ld.param.b64 %p1, [pb]; mad.wide.u32 %p5, %t, {{nb * operand}}, %p1;
                ld.param.b64 %p2, [pc]; mad.wide.u32 %p6, %t, {{nc * size}}, %p2;
                ld.param.b64 %p3, [pd]; mad.wide.u32 %p7, %t, {{nc * size}}, %p3;
                {{Loads("a", regType, "p4", na, operand)}}
                {{Loads("b", regType, "p5", nb, operand)}}
                {{Loads("c", accType, "p6", nc, size)}}
                {{instruction}} {{List("d", nc)}}, {{List("a", na)}}, {{List("b", nb)}}, {{List("c", nc)}};
                {{string.Join("\n", Enumerable.Range(0, nc).Select(i => $"st.global.{accType} [%p7+{i * size}], %d{i};"))}}
                ret;
            }
            """;
        using var machine = new Machine();
        ulong d = machine.Allocate(32L * nc * size);
        LaunchReport report = machine.Launch(PtxModule.Parse(ptx), "k", 1, 32, 0, machine.Upload(a), machine.Upload(b), machine.Upload(c), d);
        Check.Equal(1L, report.MmaInstructions, "mma count");
        return machine.Download<T>(d, 32 * nc);
    }

    private static float[] Matrix(int n, Func<double> draw) => [.. Enumerable.Range(0, n).Select(_ => (float)draw())];

    /// <summary>Packs a fragment of elements of the given bit width into registers.</summary>
    private static uint[] Fragments(float[] matrix, int columns, int count, Position at, int bits, Func<float, uint> encode, bool columnMajor = false, int rows = 0)
    {
        int per = 32 / bits, registers = count / per;
        var result = new uint[32 * registers];
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < count; i++)
            {
                var (row, col) = at(lane >> 2, lane & 3, i);
                result[lane * registers + i / per] |= encode(matrix[row * columns + col]) << (bits * (i % per));
            }
        }

        return result;
    }

    private static double Product(Shape s, float[] a, float[] b, int row, int col) => Enumerable.Range(0, s.K).Sum(k => (double)a[row * s.K + k] * b[k * s.N + col]);

    private static void Float32Accumulate(Shape s, string types, int bits, Func<float, uint> encode, Func<double> draw)
    {
        float[] a = Matrix(s.M * s.K, draw), b = Matrix(s.K * s.N, draw), c = Matrix(s.M * s.N, () => Random.NextDouble() - 0.5);
        int per = 32 / bits;
        float[] cr = new float[32 * s.C];
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < s.C; i++) { var (row, col) = s.RowC(lane >> 2, lane & 3, i); cr[lane * s.C + i] = c[row * s.N + col]; }
        }

        float[] d = RunMma($"mma.sync.aligned.{s.Name}.row.col.{types}", "b32", "f32", s.A / per, s.B / per, s.C,
            Fragments(a, s.K, s.A, s.RowA, bits, encode), Fragments(b, s.N, s.B, s.RowB, bits, encode), cr);
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < s.C; i++)
            {
                var (row, col) = s.RowC(lane >> 2, lane & 3, i);
                Check.Near(c[row * s.N + col] + Product(s, a, b, row, col), d[lane * s.C + i], 2e-7, $"{s.Name}.{types} d[{row},{col}]");
            }
        }
    }

    private static uint F16(float x) => BitConverter.HalfToUInt16Bits((Half)x);
    private static uint BF16(float x) => BitConverter.SingleToUInt32Bits(x) >> 16;
    private static double Small() => Random.Next(-64, 65) / 32.0;

    [Fact] public static void HalfK8() => Float32Accumulate(Half16x8x8, "f32.f16.f16.f32", 16, F16, Small);
    [Fact] public static void HalfK16() => Float32Accumulate(Half16x8x16, "f32.f16.f16.f32", 16, F16, Small);
    [Fact] public static void BFloatK8() => Float32Accumulate(Half16x8x8, "f32.bf16.bf16.f32", 16, BF16, Small);
    [Fact] public static void BFloatK16() => Float32Accumulate(Half16x8x16, "f32.bf16.bf16.f32", 16, BF16, Small);
    [Fact] public static void Tf32K4() => Float32Accumulate(Tf16x8x4, "f32.tf32.tf32.f32", 32, BitConverter.SingleToUInt32Bits, Small);
    [Fact] public static void Tf32K8() => Float32Accumulate(Tf16x8x8, "f32.tf32.tf32.f32", 32, BitConverter.SingleToUInt32Bits, Small);

    [Fact]
    public static void HalfAccumulate()
    {
        foreach (Shape s in new[] { Half16x8x8, Half16x8x16 })
        {
            float[] a = Matrix(s.M * s.K, Small), b = Matrix(s.K * s.N, Small), c = Matrix(s.M * s.N, Small);
            uint[] d = RunMma($"mma.sync.aligned.{s.Name}.row.col.f16.f16.f16.f16", "b32", "b32", s.A / 2, s.B / 2, 2,
                Fragments(a, s.K, s.A, s.RowA, 16, F16), Fragments(b, s.N, s.B, s.RowB, 16, F16), Fragments(c, s.N, 4, s.RowC, 16, F16));
            for (int lane = 0; lane < 32; lane++)
            {
                for (int i = 0; i < 4; i++)
                {
                    var (row, col) = s.RowC(lane >> 2, lane & 3, i);
                    Half expected = (Half)(c[row * s.N + col] + Product(s, a, b, row, col));
                    Check.Equal(expected, BitConverter.UInt16BitsToHalf((ushort)(d[lane * 2 + i / 2] >> (16 * (i & 1)))), $"{s.Name} d[{row},{col}]");
                }
            }
        }
    }

    [Fact]
    public static void IntegerShapes()
    {
        foreach (Shape s in new[] { Byte8x8x16, Byte16x8x16, Byte16x8x32 })
        {
            foreach (bool signedA in new[] { true, false })
            {
                float[] a = Matrix(s.M * s.K, () => signedA ? Random.Next(-128, 128) : Random.Next(256)), b = Matrix(s.K * s.N, () => Random.Next(-128, 128));
                int[] c = [.. Enumerable.Range(0, 32 * s.C).Select(_ => Random.Next(-1000, 1000))];
                int[] d = RunMma($"mma.sync.aligned.{s.Name}.row.col.s32.{(signedA ? "s8" : "u8")}.s8.s32", "b32", "s32", s.A / 4, s.B / 4, s.C,
                    Fragments(a, s.K, s.A, s.RowA, 8, x => (byte)(int)x), Fragments(b, s.N, s.B, s.RowB, 8, x => (byte)(int)x), c);
                for (int lane = 0; lane < 32; lane++)
                {
                    for (int i = 0; i < s.C; i++)
                    {
                        var (row, col) = s.RowC(lane >> 2, lane & 3, i);
                        Check.Equal(c[lane * s.C + i] + (int)Product(s, a, b, row, col), d[lane * s.C + i], $"{s.Name} signed {signedA} d[{row},{col}]");
                    }
                }
            }
        }
    }

    [Fact]
    public static void DoubleShape()
    {
        Shape s = Double8x8x4;
        double[] a = [.. Enumerable.Range(0, 32).Select(_ => Random.NextDouble())], b = [.. Enumerable.Range(0, 32).Select(_ => Random.NextDouble())], c = [.. Enumerable.Range(0, 64).Select(_ => Random.NextDouble())];
        uint[] Words(double[] x) => [.. x.SelectMany(v => BitConverter.GetBytes(v).Chunk(4).Select(q => BitConverter.ToUInt32(q)))];
        double[] la = [.. Enumerable.Range(0, 32).Select(l => a[(l >> 2) * 4 + (l & 3)])], lb = [.. Enumerable.Range(0, 32).Select(l => b[(l & 3) * 8 + (l >> 2)])];
        double[] d = RunMma("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", "f64", "f64", 1, 1, 2, Words(la), Words(lb), c);
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < 2; i++)
            {
                var (row, col) = s.RowC(lane >> 2, lane & 3, i);
                Check.Near(c[lane * 2 + i] + Enumerable.Range(0, 4).Sum(k => a[row * 4 + k] * b[k * 8 + col]), d[lane * 2 + i], 1e-14, $"d[{row},{col}]");
            }
        }
    }

    [Fact]
    public static void LoadMatrix()
    {
        foreach (int count in new[] { 1, 2, 4 })
        {
            foreach (bool transposed in new[] { false, true })
            {
                foreach (bool generic in new[] { false, true })
                {
                    uint[] r = RunMove($"ldmatrix.sync.aligned.m8n8.x{count}{(transposed ? ".trans" : "")}{(generic ? "" : ".shared")}.b16", count, generic, false);
                    for (int lane = 0; lane < 32; lane++)
                    {
                        for (int j = 0; j < count; j++)
                        {
                            int row = lane / 4, col = lane % 4 * 2;
                            (int R, int C) low = transposed ? (col, row) : (row, col), high = transposed ? (col + 1, row) : (row, col + 1);
                            uint expected = Element(j, low.R, low.C) | Element(j, high.R, high.C) << 16;
                            Check.Equal(expected, r[lane * count + j], $"ldmatrix x{count} trans {transposed} lane {lane} matrix {j}");
                        }
                    }
                }
            }
        }
    }

    /// <summary>The value stored at element (row, col) of matrix j; its row starts at (8 j + row) rows of 40 halves.</summary>
    private static uint Element(int j, int row, int col) => (uint)(j * 1000 + row * 10 + col + 1);

    [Fact]
    public static void StoreMatrix()
    {
        foreach (int count in new[] { 1, 2, 4 })
        {
            foreach (bool transposed in new[] { false, true })
            {
                // what ldmatrix read with one flag must come back unchanged through stmatrix with the same flag
                uint[] r = RunMove($"ldmatrix.sync.aligned.m8n8.x{count}{(transposed ? ".trans" : "")}.shared.b16", count, false, true, transposed);
                for (int j = 0; j < count; j++)
                {
                    for (int row = 0; row < 8; row++)
                    {
                        for (int pair = 0; pair < 4; pair++)
                        {
                            Check.Equal(Element(j, row, pair * 2) | Element(j, row, pair * 2 + 1) << 16, r[(8 * j + row) * 4 + pair], $"stmatrix x{count} trans {transposed} ({j},{row},{pair})");
                        }
                    }
                }
            }
        }
    }

    /// <summary>Fills shared memory (rows of 80 bytes), runs a matrix load, and returns registers or, after stmatrix, memory.</summary>
    private static uint[] RunMove(string load, int count, bool generic, bool storeBack, bool transposed = false)
    {
        string registers = "{" + string.Join(", ", Enumerable.Range(0, count).Select(i => $"%v{i}")) + "}";
        string store = storeBack
            ? $$"""
                add.u32 %a, %m, 0; mov.u32 %x, tile2; mad.lo.u32 %a, %t, 80, %x;
                stmatrix.sync.aligned.m8n8.x{{count}}{{(transposed ? ".trans" : "")}}.shared.b16 [%a], {{registers}};
                bar.warp.sync 0xffffffff;
                mad.wide.u32 %p1, %t, 16, %p0;
                setp.lt.u32 %q, %t, {{8 * count}};
                @%q ld.shared.v4.b32 {%v0, %v1, %v2, %v3}, [%a];
                @%q st.global.v4.b32 [%p1], {%v0, %v1, %v2, %v3};
                """
            : $"mad.wide.u32 %p1, %t, {4 * count}, %p0;\n" + string.Join("\n", Enumerable.Range(0, count).Select(i => $"st.global.b32 [%p1+{4 * i}], %v{i};"));
        string ptx = Snippet.Header + $$"""
            .visible .entry k(.param .b64 pin, .param .b64 pout)
            {
                .reg .b64 %p<4>; .reg .b32 %t, %a, %m, %x; .reg .b32 %v<4>; .reg .pred %q;
                .shared .align 16 .b8 tile[2560];
                .shared .align 16 .b8 tile2[2560];
                mov.u32 %t, %laneid;
                mov.u32 %m, tile;
                mad.lo.u32 %a, %t, 80, %m;
                ld.param.b64 %p0, [pin];
                mad.wide.u32 %p1, %t, 16, %p0;
                ld.global.v4.b32 {%v0, %v1, %v2, %v3}, [%p1];
                st.shared.v4.b32 [%a], {%v0, %v1, %v2, %v3};
                bar.warp.sync 0xffffffff;
                cvt.u64.u32 %p2, %a;
                {{(generic ? "cvta.shared.u64 %p2, %p2;" : "")}}
                {{load}} {{registers}}, [{{(generic ? "%p2" : "%a")}}];
                ld.param.b64 %p0, [pout];
                {{store}}
                ret;
            }
            """;
        var input = new ushort[32 * 8];
        for (int j = 0; j < 4; j++)
        {
            for (int row = 0; row < 8; row++)
            {
                for (int col = 0; col < 8; col++)
                {
                    input[(8 * j + row) * 8 + col] = (ushort)Element(j, row, col);
                }
            }
        }

        using var machine = new Machine();
        ulong output = machine.Allocate(32 * 16);
        LaunchReport report = machine.Launch(PtxModule.Parse(ptx), "k", 1, 32, 0, machine.Upload(input), output);
        Check.Equal(0L, report.BankConflictsOf("ldmatrix"), "80-byte rows are conflict-free");
        return machine.Download<uint>(output, storeBack ? 8 * count * 4 : 32 * count);
    }

    [Fact]
    public static void TransposeInRegisters()
    {
        uint[] a = [.. Enumerable.Range(0, 32).Select(l => (uint)(l / 4 * 8 + l % 4 * 2) | (uint)(l / 4 * 8 + l % 4 * 2 + 1) << 16)];
        uint[] d = Snippet.Run("movmatrix.sync.aligned.m8n8.trans.b16 %d, %a;", "b32", a, a, a);
        for (int l = 0; l < 32; l++)
        {
            Check.Equal((uint)(l % 4 * 16 + l / 4) | (uint)(l % 4 * 16 + 8 + l / 4) << 16, d[l], $"lane {l}");
        }
    }
}
