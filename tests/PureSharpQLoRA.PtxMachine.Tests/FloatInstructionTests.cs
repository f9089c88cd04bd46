namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>f32, f64, f16 and bf16 arithmetic and conversions against exact host results.</summary>
public static class FloatInstructionTests
{
    private static readonly Random Random = new(11);

    private static float[] Singles(int n)
    {
        float[] edges = [0f, -0f, 1f, -1f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, -1e-40f, float.MaxValue, 1.5f, 65504f, 65520f, 6e-8f, 1e-5f];
        return [.. Enumerable.Range(0, n).Select(i => i < 225 ? edges[i % 15] : BitConverter.UInt32BitsToSingle((uint)Random.NextInt64(0, 1L << 32)))];
    }

    private static float[] Partner(int n)
    {
        float[] x = Singles(n);
        return [.. Enumerable.Range(0, n).Select(i => i < 225 ? x[i / 15] : x[n - 1 - (i - 225) % (n - 225)] )];
    }

    private static void Same(float expected, float actual, string what) => Assert.True(
        float.IsNaN(expected) ? float.IsNaN(actual) : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual), $"{what}: expected {expected:R}, got {actual:R}");

    private static float Flush(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;

    [Fact]
    public static void SingleArithmetic()
    {
        float[] a = Singles(1024), b = Partner(1024), c = [.. a.Reverse()];
        Compare("add.f32 %d, %a, %b;", (x, y, _) => x + y);
        Compare("sub.rn.f32 %d, %a, %b;", (x, y, _) => x - y);
        Compare("mul.f32 %d, %a, %b;", (x, y, _) => x * y);
        Compare("div.rn.f32 %d, %a, %b;", (x, y, _) => x / y);
        Compare("fma.rn.f32 %d, %a, %b, %c;", MathF.FusedMultiplyAdd);
        Compare("mad.rn.f32 %d, %a, %b, %c;", MathF.FusedMultiplyAdd);
        Compare("add.ftz.f32 %d, %a, %b;", (x, y, _) => Flush(Flush(x) + Flush(y)));
        Compare("mul.sat.f32 %d, %a, %b;", (x, y, _) => x * y is var p && p > 0 ? Math.Min(p, 1) : 0f);
        Compare("fma.rn.ftz.sat.f32 %d, %a, %b, %c;", (x, y, z) => MathF.FusedMultiplyAdd(Flush(x), Flush(y), Flush(z)) is var p && p > 0 ? Flush(Math.Min(p, 1)) : 0f);
        Compare("min.f32 %d, %a, %b;", (x, y, _) => float.IsNaN(x) ? y : float.IsNaN(y) ? x : MathF.Min(x, y));
        Compare("max.NaN.f32 %d, %a, %b;", (x, y, _) => MathF.Max(x, y));
        Compare("neg.f32 %d, %a;", (x, _, _) => -x);
        Compare("abs.f32 %d, %a;", (x, _, _) => MathF.Abs(x));
        Compare("copysign.f32 %d, %a, %b;", (x, y, _) => MathF.CopySign(y, x));
        Compare("rcp.rn.f32 %d, %a;", (x, _, _) => 1 / x);
        Compare("sqrt.rn.f32 %d, %a;", (x, _, _) => MathF.Sqrt(x));
        Compare("setp.lt.f32 %q0, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, y, _) => x < y ? 1 : 0);
        Compare("setp.geu.f32 %q0, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, y, _) => !(x < y) ? 1 : 0);
        Compare("setp.ne.f32 %q0, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, y, _) => x < y || x > y ? 1 : 0);
        Compare("setp.nan.f32 %q0, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, y, _) => float.IsNaN(x) || float.IsNaN(y) ? 1 : 0);
        Compare("setp.gt.f32 %q1, %b, 0f00000000; setp.lt.and.f32 %q0|%q2, %a, %b, !%q1; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, y, _) => x < y && !(y > 0) ? 1 : 0);
        Compare("testp.subnormal.f32 %q0, %a; selp.f32 %d, 0f3F800000, 0f00000000, %q0;", (x, _, _) => float.IsSubnormal(x) ? 1 : 0);

        void Compare(string body, Func<float, float, float, float> expected)
        {
            float[] d = Snippet.Run(body, "f32", a, b, c);
            for (int i = 0; i < d.Length; i++)
            {
                Same(expected(a[i], b[i], c[i]), d[i], $"{body} ({a[i]:R}, {b[i]:R}, {c[i]:R})");
            }
        }
    }

    [Fact]
    public static void DirectedRounding()
    {
        float[] a = [.. Enumerable.Range(0, 512).Select(_ => (float)((Random.NextDouble() - 0.5) * Math.Pow(2, Random.Next(-20, 20))))], b = [.. a.Reverse()], c = [.. a.Select(x => x * 1.37f)];
        foreach (string mode in new[] { "rz", "rm", "rp" })
        {
            Verify($"add.{mode}.f32 %d, %a, %b;");
            Verify($"mul.{mode}.f32 %d, %a, %b;");

            void Verify(string body)
            {
                float[] d = Snippet.Run(body, "f32", a, b, c);
                for (int i = 0; i < d.Length; i++)
                {
                    double target = body.StartsWith("add", StringComparison.Ordinal) ? (double)a[i] + b[i] : (double)a[i] * b[i]; // exact in double
                    float down = (float)target, up = (float)target;
                    if (down > target)
                    {
                        down = MathF.BitDecrement(down);
                    }

                    if (up < target)
                    {
                        up = MathF.BitIncrement(up);
                    }

                    Same(mode switch { "rm" => down, "rp" => up, _ => target >= 0 ? down : up }, d[i], $"{body} ({a[i]:R}, {b[i]:R})");
                }
            }
        }
    }

    [Fact]
    public static void HalfArithmetic()
    {
        Half[] a = [.. Enumerable.Range(0, 4096).Select(i => BitConverter.UInt16BitsToHalf((ushort)(i < 2048 ? i * 32 + i % 7 : Random.Next(65536))))], b = [.. a.Reverse()], c = [.. a.Select((_, i) => a[(i * 17 + 5) % 4096])];
        Compare("add.f16 %d, %a, %b;", (x, y, _) => x + y);
        Compare("sub.f16 %d, %a, %b;", (x, y, _) => x - y);
        Compare("mul.rn.f16 %d, %a, %b;", (x, y, _) => x * y);
        Compare("fma.rn.f16 %d, %a, %b, %c;", (x, y, z) => (Half)((double)x * (double)y + (double)z));
        Compare("neg.f16 %d, %a;", (x, _, _) => -x);
        Compare("abs.f16 %d, %a;", (x, _, _) => Half.Abs(x));
        Compare("min.f16 %d, %a, %b;", (x, y, _) => Half.IsNaN(x) ? y : Half.IsNaN(y) ? x : Half.Min(x, y));
        Compare("max.NaN.f16 %d, %a, %b;", (x, y, _) => Half.Max(x, y));
        uint[] pa = Pack(a), pb = Pack(b), pc = Pack(c);
        uint[] packed = Snippet.Run("fma.rn.f16x2 %d, %a, %b, %c;", "b32", pa, pb, pc), sum = Snippet.Run("add.f16x2 %d, %a, %b;", "b32", pa, pb, pc);
        Half[] single = Snippet.Run("fma.rn.f16 %d, %a, %b, %c;", "b16", a, b, c), singleSum = Snippet.Run("add.f16 %d, %a, %b;", "b16", a, b, c);
        for (int i = 0; i < packed.Length; i++)
        {
            Check.Equal(BitConverter.HalfToUInt16Bits(single[2 * i]) | (uint)BitConverter.HalfToUInt16Bits(single[2 * i + 1]) << 16, packed[i], $"fma.f16x2 {i}");
            Check.Equal(BitConverter.HalfToUInt16Bits(singleSum[2 * i]) | (uint)BitConverter.HalfToUInt16Bits(singleSum[2 * i + 1]) << 16, sum[i], $"add.f16x2 {i}");
        }

        void Compare(string body, Func<Half, Half, Half, Half> expected)
        {
            Half[] d = Snippet.Run(body, "b16", a, b, c);
            for (int i = 0; i < d.Length; i++)
            {
                SameHalf(expected(a[i], b[i], c[i]), d[i], $"{body} ({a[i]}, {b[i]}, {c[i]})");
            }
        }
    }

    private static uint[] Pack(Half[] x) => [.. Enumerable.Range(0, x.Length / 2).Select(i => BitConverter.HalfToUInt16Bits(x[2 * i]) | (uint)BitConverter.HalfToUInt16Bits(x[2 * i + 1]) << 16)];

    private static void SameHalf(Half expected, Half actual, string what) => Assert.True(
        Half.IsNaN(expected) ? Half.IsNaN(actual) : BitConverter.HalfToInt16Bits(expected) == BitConverter.HalfToInt16Bits(actual), $"{what}: expected {expected}, got {actual}");

    [Fact]
    public static void HalfConversionsExhaustive()
    {
        ushort[] all = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        float[] wide = Snippet.Convert<ushort, float>("cvt.f32.f16 %d, %a;", "b16", all, "f32");
        for (int i = 0; i < 65536; i++)
        {
            Same((float)BitConverter.UInt16BitsToHalf((ushort)i), wide[i], $"half {i:X}");
        }

        float[] bf = Snippet.Convert<ushort, float>("cvt.f32.bf16 %d, %a;", "b16", all, "f32");
        for (int i = 0; i < 65536; i++)
        {
            Same(BitConverter.UInt32BitsToSingle((uint)i << 16), bf[i], $"bf16 {i:X}");
        }
    }

    [Fact]
    public static void NarrowingConversions()
    {
        // every boundary between neighbouring halves, just below it and just above it, and random bits
        var values = new List<float>();
        for (int i = 0; i < 31744; i += 7)
        {
            double x = (double)BitConverter.UInt16BitsToHalf((ushort)i), y = i == 31743 ? 65536 : (double)BitConverter.UInt16BitsToHalf((ushort)(i + 1));
            float middle = (float)((x + y) / 2);
            values.AddRange([middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle), -middle]);
        }
        values.AddRange(Singles(2000));
        float[] a = [.. values];
        ushort[] half = Snippet.Convert<float, ushort>("cvt.rn.f16.f32 %d, %a;", "f32", a, "b16");
        for (int i = 0; i < a.Length; i++)
        {
            SameHalf((Half)a[i], BitConverter.UInt16BitsToHalf(half[i]), $"cvt.rn.f16.f32({a[i]:R})");
        }

        ushort[] bf = Snippet.Convert<float, ushort>("cvt.rn.bf16.f32 %d, %a;", "f32", a, "b16");
        uint[] packed = Snippet.Run<float, float, float, uint>("cvt.rn.f16x2.f32 %d, %a, %b;", "f32", a, "f32", [.. a.Reverse()], "f32", a, "b32");
        for (int i = 0; i < a.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(a[i]);
            uint expected = float.IsNaN(a[i]) ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
            Check.Equal((ushort)expected, bf[i], $"cvt.rn.bf16.f32({a[i]:R})");
            Check.Equal(half[i], (ushort)(packed[i] >> 16), "upper half is the first source");
            Check.Equal(half[a.Length - 1 - i], (ushort)packed[i], "lower half is the second source");
        }
        ushort[] zero = Snippet.Convert<float, ushort>("cvt.rz.f16.f32 %d, %a;", "f32", a, "b16");
        for (int i = 0; i < a.Length; i++)
        {
            if (float.IsNaN(a[i]))
            {
                continue;
            }

            double v = (double)BitConverter.UInt16BitsToHalf(zero[i]);
            Assert.True(Math.Abs(v) <= Math.Abs((double)a[i]), $"cvt.rz.f16.f32({a[i]:R}) grew to {v}");
            double next = (zero[i] & 0x7FFF) == 0x7BFF ? double.PositiveInfinity : Math.Abs((double)BitConverter.UInt16BitsToHalf((ushort)(zero[i] + 1)));
            Assert.True(float.IsInfinity(a[i]) || next > Math.Abs((double)a[i]), $"cvt.rz.f16.f32({a[i]:R}) is not the nearest below: {v}");
        }
        uint[] tf32 = Snippet.Convert<float, uint>("cvt.rna.tf32.f32 %d, %a;", "f32", [1f + 1f / 2048, -1f - 1f / 2048, 1f + 1f / 4096], "b32");
        Check.Equal(BitConverter.SingleToUInt32Bits(1f + 1f / 1024), tf32[0], "tf32 ties away");
        Check.Equal(BitConverter.SingleToUInt32Bits(-1f - 1f / 1024), tf32[1], "tf32 ties away");
        Check.Equal(BitConverter.SingleToUInt32Bits(1f), tf32[2], "tf32 rounds down");
    }

    [Fact]
    public static void BFloatArithmetic()
    {
        ushort[] a = [.. Enumerable.Range(0, 4096).Select(_ => (ushort)(Random.Next(0x3000, 0x4800) | Random.Next(2) << 15))], b = [.. a.Reverse()], c = [.. a.Select((_, i) => a[(i * 31 + 3) % 4096])];
        float F(ushort x) => BitConverter.UInt32BitsToSingle((uint)x << 16);
        ushort Round(double v)
        {
            // nearest even on the exact value: compare with both neighbours
            float f = (float)v;
            uint down = BitConverter.SingleToUInt32Bits(f) & 0xFFFF0000;
            double lo = BitConverter.UInt32BitsToSingle(down), hi = BitConverter.UInt32BitsToSingle(down + 0x10000);
            if (Math.Abs(lo) > Math.Abs(v)) { hi = lo; down -= 0x10000; lo = BitConverter.UInt32BitsToSingle(down); }
            double toLow = Math.Abs(v - lo), toHigh = Math.Abs(hi - v);
            bool up = toHigh < toLow || toHigh == toLow && (down >> 16 & 1) != 0;
            return (ushort)((up ? down + 0x10000 : down) >> 16);
        }
        ushort[] sum = Snippet.Run("add.bf16 %d, %a, %b;", "b16", a, b, c), product = Snippet.Run("mul.bf16 %d, %a, %b;", "b16", a, b, c), fused = Snippet.Run("fma.rn.bf16 %d, %a, %b, %c;", "b16", a, b, c);
        for (int i = 1; i < a.Length; i++)
        {
            Check.Equal(Round((double)F(a[i]) + F(b[i])), sum[i], $"add.bf16({F(a[i])}, {F(b[i])})");
            Check.Equal(Round((double)F(a[i]) * F(b[i])), product[i], $"mul.bf16({F(a[i])}, {F(b[i])})");
            Check.Equal(Round((double)F(a[i]) * F(b[i]) + F(c[i])), fused[i], $"fma.bf16({F(a[i])}, {F(b[i])}, {F(c[i])})");
        }
        // 1.5 * (1 + 2^-7) = 1.51171875 lies exactly between two bf16 values; an addend of +-2^-100 must decide, which a double cannot hold
        ushort[] tie = Snippet.Run<ushort>("fma.rn.bf16 %d, %a, %b, %c;", "b16", [0x3FC0, 0x3FC0, 0x3FC0], [0x3F81, 0x3F81, 0x3F81], [0, 0x0D80, 0x8D80]);
        Assert.Equal<ushort[]>([0x3FC2, 0x3FC2, 0x3FC1], tie);
        ushort[] relu = Snippet.Run("mov.b32 %r3, 0xBF80BF80; mov.b32 %r4, 0x3F803F80; mov.b32 %r5, 0; fma.rn.relu.bf16x2 %r2, %r3, %r4, %r5; cvt.u16.u32 %d, %r2;", "b16", a, b, c);
        Assert.True(relu.All(x => x == 0), "relu of -1");
    }

    [Fact]
    public static void IntegerConversions()
    {
        float[] a = [0, -0.5f, 0.5f, 1.5f, 2.5f, -1.5f, 1e10f, -1e10f, 2147483648f, -2147483648f, 4294967296f, float.NaN, float.PositiveInfinity, 3.99f, -3.99f, 1e20f];
        int[] zero = Snippet.Convert<float, int>("cvt.rzi.s32.f32 %d, %a;", "f32", a, "b32"), near = Snippet.Convert<float, int>("cvt.rni.s32.f32 %d, %a;", "f32", a, "b32");
        int[] down = Snippet.Convert<float, int>("cvt.rmi.s32.f32 %d, %a;", "f32", a, "b32"), up = Snippet.Convert<float, int>("cvt.rpi.s32.f32 %d, %a;", "f32", a, "b32");
        uint[] unsigned = Snippet.Convert<float, uint>("cvt.rzi.u32.f32 %d, %a;", "f32", a, "b32");
        short[] narrow = Snippet.Convert<float, short>("cvt.rzi.s16.f32 %d, %a;", "f32", a, "b16");
        Assert.Equal<int[]>([0, 0, 0, 1, 2, -1, int.MaxValue, int.MinValue, int.MaxValue, int.MinValue, int.MaxValue, 0, int.MaxValue, 3, -3, int.MaxValue], zero);
        Assert.Equal<int[]>([0, 0, 0, 2, 2, -2, int.MaxValue, int.MinValue, int.MaxValue, int.MinValue, int.MaxValue, 0, int.MaxValue, 4, -4, int.MaxValue], near);
        Assert.Equal<int[]>([0, -1, 0, 1, 2, -2, int.MaxValue, int.MinValue, int.MaxValue, int.MinValue, int.MaxValue, 0, int.MaxValue, 3, -4, int.MaxValue], down);
        Assert.Equal<int[]>([0, 0, 1, 2, 3, -1, int.MaxValue, int.MinValue, int.MaxValue, int.MinValue, int.MaxValue, 0, int.MaxValue, 4, -3, int.MaxValue], up);
        Assert.Equal<uint[]>([0, 0, 0, 1, 2, 0, uint.MaxValue, 0, 2147483648, 0, uint.MaxValue, 0, uint.MaxValue, 3, 0, uint.MaxValue], unsigned);
        Assert.Equal<short[]>([0, 0, 0, 1, 2, -1, short.MaxValue, short.MinValue, short.MaxValue, short.MinValue, short.MaxValue, 0, short.MaxValue, 3, -3, short.MaxValue], narrow);
        long[] big = [0, 1, -1, long.MaxValue, long.MinValue, 16777217, 16777219, 9007199791611905, -9007199791611905, 0x7FFFFFBFFFFFFFFF, 0x4000004000000001];
        float[] single = Snippet.Convert<long, float>("cvt.rn.f32.s64 %d, %a;", "b64", big, "f32"), unsignedSingle = Snippet.Convert<long, float>("cvt.rn.f32.u64 %d, %a;", "b64", big, "f32");
        for (int i = 0; i < big.Length; i++)
        {
            Same((float)big[i], single[i], $"cvt.rn.f32.s64({big[i]})");
            Assert.True(Math.Abs((decimal)(ulong)big[i] - (decimal)(double)unsignedSingle[i]) <= (decimal)(ulong)big[i] / 16777216m, $"cvt.rn.f32.u64({(ulong)big[i]})");
        }
        int[] ints = [0, 255, 256, -1, -128, -129, 127, 128, 70000, int.MaxValue, int.MinValue];
        Assert.Equal<int[]>([.. ints.Select(x => (int)(sbyte)x)], Snippet.Convert<int, int>("cvt.s32.s8 %d, %a;", "b32", ints, "b32"));
        Assert.Equal<int[]>([.. ints.Select(x => (int)(byte)x)], Snippet.Convert<int, int>("cvt.u32.u8 %d, %a;", "b32", ints, "b32"));
        Assert.Equal<int[]>([.. ints.Select(x => Math.Clamp(x, -128, 127))], Snippet.Convert<int, int>("cvt.sat.s8.s32 %r0, %a; mov.b32 %d, %r0;", "b32", ints, "b32"));
        Assert.Equal<int[]>([.. ints.Select(x => (int)(ushort)(short)x)], Snippet.Convert<int, int>("cvt.s16.s32 %h0, %a; cvt.u32.u16 %d, %h0;", "b32", ints, "b32"));
        Assert.Equal<long[]>([.. ints.Select(x => (long)x)], Snippet.Convert<int, long>("cvt.s64.s32 %d, %a;", "b32", ints, "b64"));
        Assert.Equal<float[]>([.. ints.Select(x => (float)x)], Snippet.Convert<int, float>("cvt.rn.f32.s32 %d, %a;", "b32", ints, "f32"));
        double[] doubles = [1.0 + 1e-12, Math.PI, 1e300, 1e-320, -2.5];
        Assert.Equal<float[]>([.. doubles.Select(x => (float)x)], Snippet.Convert<double, float>("cvt.rn.f32.f64 %d, %a;", "f64", doubles, "f32"));
        Assert.Equal<double[]>([.. doubles.Select(Math.Floor)], Snippet.Convert<double, double>("cvt.rmi.f64.f64 %d, %a;", "f64", doubles, "f64"));
    }

    [Fact]
    public static void ApproximateFunctions()
    {
        float[] a = [.. Enumerable.Range(1, 200).Select(i => i * 0.05f)];
        (string, Func<double, double>)[] functions =
        [
            ("ex2.approx.f32", x => Math.Pow(2, x)), ("lg2.approx.f32", Math.Log2), ("sin.approx.f32", Math.Sin), ("cos.approx.f32", Math.Cos),
            ("rsqrt.approx.f32", x => 1 / Math.Sqrt(x)), ("sqrt.approx.f32", Math.Sqrt), ("rcp.approx.ftz.f32", x => 1 / x), ("tanh.approx.f32", Math.Tanh),
        ];
        foreach (var (name, f) in functions)
        {
            float[] d = Snippet.Run($"{name} %d, %a;", "f32", a, a, a);
            for (int i = 0; i < a.Length; i++)
            {
                Check.Near(f(a[i]), d[i], 1e-7, $"{name}({a[i]})");
            }
        }
        ushort[] halves = [0x3C00, 0x4000, 0xBC00, 0x0000];
        ushort[] ex2 = Snippet.Run("ex2.approx.f16 %d, %a;", "b16", halves, halves, halves);
        Assert.Equal<ushort[]>([0x4000, 0x4400, 0x3800, 0x3C00], ex2);
    }
}
