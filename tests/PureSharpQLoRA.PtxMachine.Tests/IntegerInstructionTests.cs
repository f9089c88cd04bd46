using System.Numerics;

namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Integer, logic, shift and bit instructions against host arithmetic.</summary>
public static class IntegerInstructionTests
{
    private static readonly Random Random = new(7);

    private static T[] Values<T>(int n) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        T[] edges = [T.Zero, T.One, T.MaxValue, T.MinValue, T.CreateTruncating(-1), T.CreateTruncating(7), T.MaxValue - T.One];
        return [.. Enumerable.Range(0, n).Select(i => i < 49 ? edges[i % 7] : T.CreateTruncating(Random.NextInt64(long.MinValue, long.MaxValue) >> Random.Next(0, 60)))];
    }

    private static void Binary<T>(string instruction, string type, Func<T, T, T> expected, bool nonZero = false) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        T[] a = Values<T>(256), b = [.. Values<T>(256).Select((_, i) => i < 49 ? Values<T>(49)[i / 7 * 1 % 7] : T.CreateTruncating(Random.NextInt64() >> Random.Next(0, 60)))];
        if (nonZero)
        {
            b = [.. b.Select(x => T.IsZero(x) ? T.CreateTruncating(3) : x)];
        }

        T[] d = Snippet.Run($"{instruction} %d, %a, %b;", type, a, b, b);
        for (int i = 0; i < d.Length; i++)
        {
            Check.Equal(expected(a[i], b[i]), d[i], $"{instruction}({a[i]}, {b[i]})");
        }
    }

    private static void AllBinary<T>(string suffix, string type) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        Binary<T>($"add.{suffix}", type, (x, y) => x + y);
        Binary<T>($"sub.{suffix}", type, (x, y) => x - y);
        Binary<T>($"mul.lo.{suffix}", type, (x, y) => x * y);
        Binary<T>($"mul.hi.{suffix}", type, (x, y) => T.CreateTruncating(BigInteger.CreateChecked(x) * BigInteger.CreateChecked(y) >> (8 * x.GetByteCount())));
        Binary<T>($"div.{suffix}", type, (x, y) => T.CreateTruncating(BigInteger.CreateChecked(x) / BigInteger.CreateChecked(y)), true);
        Binary<T>($"rem.{suffix}", type, (x, y) => T.CreateTruncating(BigInteger.CreateChecked(x) % BigInteger.CreateChecked(y)), true);
        Binary<T>($"min.{suffix}", type, (x, y) => x < y ? x : y);
        Binary<T>($"max.{suffix}", type, (x, y) => x > y ? x : y);
        T[] a = Values<T>(128), b = Values<T>(128), c = [.. b.Reverse()];
        T[] d = Snippet.Run($"mad.lo.{suffix} %d, %a, %b, %c;", type, a, b, c);
        for (int i = 0; i < 128; i++)
        {
            Check.Equal(a[i] * b[i] + c[i], d[i], $"mad.lo.{suffix} {i}");
        }

        foreach (string op in new[] { "eq", "ne", "lt", "le", "gt", "ge" })
        {
            uint[] p = Snippet.Run<T, T, T, uint>($"setp.{op}.{suffix} %q0, %a, %b; selp.b32 %d, 1, 0, %q0;", type, a, type, c, type, c, "b32");
            for (int i = 0; i < 128; i++)
            {
                bool yes = op switch { "eq" => a[i] == c[i], "ne" => a[i] != c[i], "lt" => a[i] < c[i], "le" => a[i] <= c[i], "gt" => a[i] > c[i], _ => a[i] >= c[i] };
                Check.Equal(yes ? 1u : 0u, p[i], $"setp.{op}.{suffix}({a[i]}, {c[i]})");
            }
        }
    }

    [Fact] public static void Signed16() => AllBinary<short>("s16", "b16");
    [Fact] public static void Unsigned16() => AllBinary<ushort>("u16", "b16");
    [Fact] public static void Signed32() => AllBinary<int>("s32", "b32");
    [Fact] public static void Unsigned32() => AllBinary<uint>("u32", "b32");
    [Fact] public static void Signed64() => AllBinary<long>("s64", "b64");
    [Fact] public static void Unsigned64() => AllBinary<ulong>("u64", "b64");

    [Fact]
    public static void WideProducts()
    {
        int[] a = Values<int>(128), b = [.. Values<int>(128).Reverse()];
        long[] c = Values<long>(128);
        long[] wide = Snippet.Run<int, int, long, long>("mul.wide.s32 %d, %a, %b;", "b32", a, "b32", b, "b64", c, "b64");
        long[] unsignedMad = Snippet.Run<int, int, long, long>("mad.wide.u32 %d, %a, %b, %c;", "b32", a, "b32", b, "b64", c, "b64");
        for (int i = 0; i < 128; i++)
        {
            Check.Equal((long)a[i] * b[i], wide[i], "mul.wide.s32");
            Check.Equal((long)((ulong)(uint)a[i] * (uint)b[i]) + c[i], unsignedMad[i], "mad.wide.u32");
        }
    }

    [Fact]
    public static void LogicAndShifts()
    {
        uint[] a = Values<uint>(128), b = [.. Values<uint>(128).Reverse()], n = [.. Enumerable.Range(0, 128).Select(i => (uint)(i % 40))];
        ulong[] w = Values<ulong>(128);
        for (int i = 0; i < 128; i++)
        {
            if (i == 100)
            {
                n[i] = 0xFFFFFFFF;
            }
        }
        Compare("and.b32 %d, %a, %b;", (x, y, _) => x & y);
        Compare("or.b32 %d, %a, %b;", (x, y, _) => x | y);
        Compare("xor.b32 %d, %a, %b;", (x, y, _) => x ^ y);
        Compare("not.b32 %d, %a;", (x, _, _) => ~x);
        Compare("cnot.b32 %d, %a;", (x, _, _) => x == 0 ? 1u : 0);
        Compare("shl.b32 %d, %a, %c;", (x, _, s) => s > 31 ? 0 : x << (int)s);
        Compare("shr.u32 %d, %a, %c;", (x, _, s) => s > 31 ? 0 : x >> (int)s);
        Compare("shr.s32 %d, %a, %c;", (x, _, s) => (uint)((int)x >> (int)Math.Min(s, 31)));
        Compare("shf.l.wrap.b32 %d, %a, %b, %c;", (x, y, s) => (uint)(((ulong)y << 32 | x) << (int)(s & 31) >> 32));
        Compare("shf.r.wrap.b32 %d, %a, %b, %c;", (x, y, s) => (uint)(((ulong)y << 32 | x) >> (int)(s & 31)));
        Compare("shf.r.clamp.b32 %d, %a, %b, %c;", (x, y, s) => s >= 32 ? y : (uint)(((ulong)y << 32 | x) >> (int)s));
        Compare("shf.l.clamp.b32 %d, %a, %b, %c;", (x, y, s) => s >= 32 ? x : (uint)(((ulong)y << 32 | x) << (int)s >> 32));
        Compare("lop3.b32 %d, %a, %b, %c, 0xCA;", (x, y, z) => x & y | ~x & z);
        Compare("lop3.b32 %d, %a, %b, %c, 0x96;", (x, y, z) => x ^ y ^ z);
        Compare("popc.b32 %d, %a;", (x, _, _) => (uint)BitOperations.PopCount(x));
        Compare("clz.b32 %d, %a;", (x, _, _) => (uint)BitOperations.LeadingZeroCount(x));
        Compare("bfind.u32 %d, %a;", (x, _, _) => x == 0 ? uint.MaxValue : (uint)BitOperations.Log2(x));
        Compare("brev.b32 %d, %a;", (x, _, _) => Convert.ToUInt32(new string([.. Convert.ToString(x, 2).PadLeft(32, '0').Reverse()]), 2));
        Compare("sad.s32 %d, %a, %b, %c;", (x, y, z) => (uint)Math.Abs((long)(int)x - (int)y) + z);
        Compare("mul24.lo.u32 %d, %a, %b;", (x, y, _) => (uint)((ulong)(x & 0xFFFFFF) * (y & 0xFFFFFF)));
        Compare("add.cc.u32 %r0, %a, %b; addc.u32 %d, %c, 0;", (x, y, z) => z + (uint)(((ulong)x + y) >> 32));
        Compare("sub.cc.u32 %r0, %a, %b; subc.u32 %d, %c, 0;", (x, y, z) => z - (x < y ? 1u : 0));
        Compare("dp4a.s32.u32 %d, %a, %b, %c;", (x, y, z) => (uint)((int)z + Enumerable.Range(0, 4).Sum(k => (sbyte)(x >> (8 * k)) * (byte)(y >> (8 * k)))));
        Compare("set.gt.u32.s32 %d, %a, %b;", (x, y, _) => (int)x > (int)y ? uint.MaxValue : 0);
        Compare("slct.b32.s32 %d, %a, %b, %c;", (x, y, z) => (int)z >= 0 ? x : y);
        ulong[] shifted = Snippet.Run<ulong, ulong, uint, ulong>("shr.s64 %d, %a, %c;", "b64", w, "b64", w, "b32", n, "b64");
        for (int i = 0; i < 128; i++)
        {
            Check.Equal((ulong)((long)w[i] >> (int)Math.Min(n[i], 63)), shifted[i], "shr.s64");
        }

        void Compare(string body, Func<uint, uint, uint, uint> expected)
        {
            uint[] d = Snippet.Run(body, "b32", a, b, n);
            for (int i = 0; i < d.Length; i++)
            {
                Check.Equal(expected(a[i], b[i], n[i]), d[i], $"{body} ({a[i]:X}, {b[i]:X}, {n[i]:X})");
            }
        }
    }

    [Fact]
    public static void BitFields()
    {
        uint[] a = Values<uint>(2048), position = [.. Enumerable.Range(0, 2048).Select(i => (uint)(i % 37))], length = [.. Enumerable.Range(0, 2048).Select(i => (uint)(i / 37 % 40))];
        uint[] u = Snippet.Run("bfe.u32 %d, %a, %b, %c;", "b32", a, position, length), s = Snippet.Run("bfe.s32 %d, %a, %b, %c;", "b32", a, position, length);
        uint[] ins = Snippet.Run("bfi.b32 %d, %a, 0x12345678, %b, %c;", "b32", a, position, length);
        for (int i = 0; i < a.Length; i++)
        {
            // PTX ISA pseudo code of bfe and bfi, bit by bit
            int pos = (int)position[i], len = (int)length[i];
            uint sign = len == 0 ? 0 : a[i] >> Math.Min(pos + len - 1, 31) & 1, eu = 0, es = 0, ei = 0x12345678;
            for (int k = 0; k <= 31; k++)
            {
                bool inside = k < len && pos + k <= 31;
                uint bit = inside ? a[i] >> (pos + k) & 1 : 0;
                eu |= bit << k;
                es |= (inside ? bit : sign) << k;
            }
            for (int k = 0; k < len && pos + k <= 31; k++)
            {
                ei = ei & ~(1u << (pos + k)) | (a[i] >> k & 1) << (pos + k);
            }

            Check.Equal(eu, u[i], $"bfe.u32({a[i]:X},{pos},{len})");
            Check.Equal(es, s[i], $"bfe.s32({a[i]:X},{pos},{len})");
            Check.Equal(ei, ins[i], $"bfi({a[i]:X},{pos},{len})");
        }
    }

    [Fact]
    public static void Permute()
    {
        uint[] a = [0x33221100], b = [0x77665544], c = [0];
        void Expect(string mode, uint selector, uint expected) =>
            Check.Equal(expected, Snippet.Run($"prmt.b32{mode} %d, %a, %b, {selector};", "b32", a, b, c)[0], $"prmt{mode} {selector:X}");
        Expect("", 0x3210, 0x33221100);
        Expect("", 0x7654, 0x77665544);
        Expect("", 0x0427, 0x00442277);
        Expect("", 0x8888, 0x00000000);
        Expect(".f4e", 1, 0x44332211);
        Expect(".b4e", 1, 0x66770011);
        Expect(".rc8", 2, 0x22222222);
        Expect(".ecl", 2, 0x33222222);
        Expect(".ecr", 2, 0x22221100);
        Expect(".rc16", 1, 0x33223322);
        Check.Equal(0xFF0000FFu, Snippet.Run("prmt.b32 %d, %a, %b, 0xB00B;", "b32", [0x80000000u], b, c)[0] & 0xFF0000FF, "sign replication");
    }
}
