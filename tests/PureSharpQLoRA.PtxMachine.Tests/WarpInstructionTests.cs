
namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Shuffles, votes, matches, reconvergence and calls in hand-written PTX.</summary>
public static class WarpInstructionTests
{
    private static readonly uint[] Lanes = [.. Enumerable.Range(0, 32).Select(i => (uint)i)];

    [Fact]
    public static void ShuffleModesAndSegments()
    {
        uint[] a = [.. Lanes.Select(i => 1000 + i * i)];
        foreach (string mode in new[] { "up", "down", "bfly", "idx" })
        {
            foreach (int width in new[] { 32, 16, 8, 4 })
            {
                foreach (uint b in new uint[] { 0, 1, 3, 5, 17, 31 })
                {
                    uint c = (uint)((32 - width) << 8) | (mode == "up" ? 0u : 31u);
                    uint[] d = Snippet.Run($"shfl.sync.{mode}.b32 %d|%q0, %a, {b}, {c}, 0xffffffff; @!%q0 add.u32 %d, %d, 100000;", "b32", a, a, a);
                    for (int lane = 0; lane < 32; lane++)
                    {
                        int start = lane / width * width, j = mode switch
                        {
                            "up" => lane - (int)b,
                            "down" => lane + (int)b,
                            "bfly" => lane ^ (int)b,
                            _ => start + (int)b % width,
                        };
                        bool valid = mode == "up" ? j >= start : j <= start + width - 1;
                        Check.Equal(valid ? a[j] : a[lane] + 100000, d[lane], $"shfl {mode} width {width} by {b} lane {lane}");
                    }
                }
            }
        }
    }

    [Fact]
    public static void VotesMatchesAndReductions()
    {
        uint[] a = [.. Lanes.Select(i => i % 5)];
        uint[] Run(string body) => Snippet.Run(body, "b32", a, Lanes, a);
        Check.Equal(Enumerable.Range(0, 32).Where(i => i % 5 == 2).Aggregate(0u, (m, i) => m | 1u << i), Run("setp.eq.u32 %q0, %a, 2; vote.sync.ballot.b32 %d, %q0, 0xffffffff;")[7], "ballot");
        Check.Equal(1u, Run("setp.eq.u32 %q0, %a, 2; vote.sync.any.pred %q1, %q0, 0xffffffff; selp.b32 %d, 1, 0, %q1;")[0], "any");
        Check.Equal(0u, Run("setp.eq.u32 %q0, %a, 2; vote.sync.all.pred %q1, %q0, 0xffffffff; selp.b32 %d, 1, 0, %q1;")[0], "all");
        Check.Equal(1u, Run("setp.lt.u32 %q0, %a, 5; vote.sync.uni.pred %q1, %q0, 0xffffffff; selp.b32 %d, 1, 0, %q1;")[0], "uni");
        uint[] match = Run("match.any.sync.b32 %d, %a, 0xffffffff;");
        for (int l = 0; l < 32; l++)
        {
            Check.Equal(Enumerable.Range(0, 32).Where(i => i % 5 == l % 5).Aggregate(0u, (m, i) => m | 1u << i), match[l], "match.any");
        }

        Check.Equal(0u, Run("match.all.sync.b32 %d|%q0, %a, 0xffffffff;")[3], "match.all");
        Check.Equal((uint)a.Sum(x => x), Run("redux.sync.add.u32 %d, %a, 0xffffffff;")[9], "redux.add");
        Check.Equal(31u, Run("redux.sync.max.u32 %d, %b, 0xffffffff;")[9], "redux.max");
        Check.Equal(0xFFFFFFFEu << 3, Run("setp.lt.u32 %q0, %b, 4; mov.u32 %d, 0; @!%q0 activemask.b32 %d;")[9], "activemask");
        Check.Equal(0xFFFFFFFEu << 4, Run("mov.u32 %d, %lanemask_gt; bar.warp.sync 0xffffffff;")[4], "lanemask_gt");
        Check.Equal(4u, Run("setp.lt.u32 %q0, %b, 4; mov.u32 %d, 0; @%q0 bra SKIP; elect.sync %d|%q1, 0xfffffff0; SKIP: ")[20], "elect");
    }

    [Fact]
    public static void ShuffleWaitsForDivergedLanes()
    {
        // the exit path of the loop is laid out before its body, so lowest-counter scheduling alone would not reconverge
        uint[] d = Snippet.Run("""
            mov.u32 %r0, 0;
            bra HEAD;
            DONE:
            shfl.sync.bfly.b32 %d, %r0, 1, 31, 0xffffffff;
            bra END;
            HEAD:
            setp.ge.u32 %q0, %r0, %a;
            @%q0 bra DONE;
            add.u32 %r0, %r0, 1;
            bra HEAD;
            END:
            """, "b32", [.. Lanes.Select(i => i % 7)], Lanes, Lanes);
        for (int l = 0; l < 32; l++)
        {
            Check.Equal((uint)((l ^ 1) % 7), d[l], $"lane {l}");
        }
    }

    [Fact]
    public static void NestedDivergence()
    {
        uint[] d = Snippet.Run("""
            mov.u32 %d, 0;
            and.b32 %r0, %a, 1;
            setp.eq.u32 %q0, %r0, 0;
            @%q0 bra EVEN;
            mov.u32 %r1, %a;
            ODDLOOP:
            add.u32 %d, %d, %r1;
            setp.lt.u32 %q1, %r1, 8;
            @%q1 bra ODDEND;
            sub.u32 %r1, %r1, 8;
            bra.uni ODDLOOP;
            ODDEND:
            bra JOIN;
            EVEN:
            setp.gt.u32 %q2, %a, 15;
            @!%q2 bra SMALL;
            add.u32 %d, %d, 1000;
            bra JOIN;
            SMALL:
            add.u32 %d, %d, 500;
            JOIN:
            activemask.b32 %r2;
            popc.b32 %r3, %r2;
            mad.lo.u32 %d, %r3, 100000, %d;
            """, "b32", Lanes, Lanes, Lanes);
        for (int l = 0; l < 32; l++)
        {
            uint expected = 0;
            if ((l & 1) != 0)
            {
                for (int x = l; ; x -= 8) { expected += (uint)x; if (x < 8)
                    {
                        break;
                    }
                }
            }
            else
            {
                expected = l > 15 ? 1000u : 500u;
            }

            Check.Equal(expected + 3200000, d[l], $"lane {l}: value and full reconvergence");
        }
    }

    [Fact]
    public static void IndexedBranch()
    {
        uint[] d = Snippet.Run("""
            rem.u32 %r0, %a, 3;
            TABLE: .branchtargets L0, L1, L2;
            brx.idx %r0, TABLE;
            L0: mov.u32 %d, 10; bra OUT;
            L1: mov.u32 %d, 11; bra OUT;
            L2: mov.u32 %d, 12;
            OUT:
            """, "b32", Lanes, Lanes, Lanes);
        for (int l = 0; l < 32; l++)
        {
            Check.Equal(10u + (uint)l % 3, d[l], $"lane {l}");
        }
    }

    [Fact]
    public static void DivergentCalls()
    {
        string ptx = Snippet.Header + """
            .func (.param .b32 r) twice(.param .b32 x, .param .align 8 .b8 pair[16])
            {
                .reg .b32 %v<4>; .reg .b64 %w<3>; .reg .pred %q; .local .align 8 .b8 depot[16];
                ld.param.b32 %v0, [x];
                ld.param.b64 %w0, [pair];
                ld.param.b64 %w1, [pair+8];
                mov.b64 %w2, depot;
                cvta.local.u64 %w2, %w2;
                st.b64 [%w2], %w0;
                st.b64 [%w2+8], %w1;
                setp.gt.u32 %q, %v0, 20;
                @%q bra BIG;
                ld.local.b32 %v1, [depot];
                bra END;
                BIG:
                ld.local.b32 %v1, [depot+8];
                END:
                add.u32 %v2, %v0, %v1;
                st.param.b32 [r], %v2;
                ret;
            }
            .visible .entry k(.param .b64 out)
            {
                .reg .b32 %r<4>; .reg .b64 %p<4>; .reg .pred %q;
                mov.u32 %r0, %tid.x;
                mov.u32 %r1, 7;
                and.b32 %r2, %r0, 1;
                setp.eq.u32 %q, %r2, 0;
                @%q bra SKIP;
                cvt.u64.u32 %p0, %r0;
                {
                    .param .b32 arg0;
                    .param .align 8 .b8 arg1[16];
                    .param .b32 result;
                    st.param.b32 [arg0], %r0;
                    st.param.b64 [arg1], %p0;
                    st.param.b64 [arg1+8], 1000;
                    call.uni (result), twice, (arg0, arg1);
                    ld.param.b32 %r1, [result];
                }
                SKIP:
                ld.param.b64 %p1, [out];
                mad.wide.u32 %p1, %r0, 4, %p1;
                st.global.b32 [%p1], %r1;
                ret;
            }
            """;
        using var machine = new Machine();
        ulong output = machine.Allocate(128);
        machine.Launch(PtxModule.Parse(ptx), "k", 1, 32, 0, output);
        uint[] d = machine.Download<uint>(output, 32);
        for (uint l = 0; l < 32; l++)
        {
            Check.Equal((l & 1) == 0 ? 7 : l > 20 ? l + 1000 : 2 * l, d[l], $"lane {l}");
        }
    }

    [Fact]
    public static void NamedBarriers()
    {
        // warp 0 produces, warp 1 consumes: bar.arrive and bar.sync on barrier 1, no race may be reported
        string ptx = Snippet.Header + """
            .visible .entry k(.param .b64 out)
            {
                .reg .b32 %r<8>; .reg .b64 %p<2>; .reg .pred %q;
                .shared .b32 data[32];
                mov.u32 %r0, %laneid;
                mov.u32 %r1, %warpid;
                mov.u32 %r2, data;
                mad.lo.u32 %r2, %r0, 4, %r2;
                setp.ne.u32 %q, %r1, 0;
                @%q bra CONSUME;
                mad.lo.u32 %r3, %r0, 3, 5;
                st.shared.u32 [%r2], %r3;
                bar.arrive 1, 64;
                exit;
                CONSUME:
                bar.sync 1, 64;
                ld.shared.u32 %r3, [%r2];
                ld.param.b64 %p0, [out];
                mad.wide.u32 %p0, %r0, 4, %p0;
                st.global.u32 [%p0], %r3;
                ret;
            }
            """;
        using var machine = new Machine();
        ulong output = machine.Allocate(128);
        machine.Launch(PtxModule.Parse(ptx), "k", 1, 64, 0, output);
        Assert.Equal<uint[]>([.. Lanes.Select(l => 3 * l + 5)], machine.Download<uint>(output, 32));
    }

    [Fact]
    public static void SpinLockBetweenLanesMakesProgress()
    {
        string ptx = Snippet.Header + """
            .visible .entry k(.param .b64 lock, .param .b64 sum)
            {
                .reg .b32 %r<4>; .reg .b64 %p<2>; .reg .pred %q;
                ld.param.b64 %p0, [lock];
                ld.param.b64 %p1, [sum];
                AGAIN:
                atom.global.cas.b32 %r0, [%p0], 0, 1;
                setp.ne.u32 %q, %r0, 0;
                @%q bra AGAIN;
                ld.global.u32 %r1, [%p1];
                add.u32 %r1, %r1, 1;
                st.global.u32 [%p1], %r1;
                membar.gl;
                atom.global.exch.b32 %r2, [%p0], 0;
                ret;
            }
            """;
        using var machine = new Machine();
        ulong taken = machine.Upload(new uint[1]), sum = machine.Upload(new uint[1]);
        machine.Launch(PtxModule.Parse(ptx), "k", 2, 64, 0, taken, sum);
        Check.Equal(128u, machine.Download<uint>(sum, 1)[0], "each thread entered once");
    }

    [Fact]
    public static void ConstantsGlobalsAndGenericAddresses()
    {
        string ptx = Snippet.Header + """
            .const .align 4 .b32 table[4] = {10, 20, 30, 40};
            .global .align 8 .b64 counter = 5;
            .global .f32 scale[2] = {0f3F000000, 2.5};
            .visible .entry k(.param .b64 out)
            {
                .reg .b32 %r<8>; .reg .b64 %p<8>; .reg .f32 %f<4>; .reg .pred %q<4>;
                .shared .align 4 .b8 sh[128];
                mov.u32 %r0, %laneid;
                and.b32 %r1, %r0, 3;
                mov.u64 %p0, table;
                mad.wide.u32 %p0, %r1, 4, %p0;
                ld.const.b32 %r2, [%p0];
                ld.const.b32 %r3, [table+12];
                ld.global.f32 %f0, [scale+4];
                cvt.rn.f32.u32 %f1, %r2;
                fma.rn.f32 %f1, %f1, %f0, 0f3F800000;
                mov.u64 %p1, sh;
                cvta.shared.u64 %p1, %p1;
                isspacep.shared %q0, %p1;
                mad.wide.u32 %p1, %r0, 4, %p1;
                st.f32 [%p1], %f1;
                cvta.to.shared.u64 %p2, %p1;
                ld.shared.f32 %f2, [%p2];
                cvt.rzi.u32.f32 %r4, %f2;
                add.u32 %r4, %r4, %r3;
                @%q0 add.u32 %r4, %r4, 1000;
                red.global.add.u64 [counter], 1;
                ld.param.b64 %p3, [out];
                mad.wide.u32 %p3, %r0, 4, %p3;
                st.global.u32 [%p3], %r4;
                ret;
            }
            """;
        using var machine = new Machine();
        PtxModule module = PtxModule.Parse(ptx);
        ulong output = machine.Allocate(128);
        machine.Launch(module, "k", 1, 32, 0, output);
        uint[] d = machine.Download<uint>(output, 32);
        for (int l = 0; l < 32; l++)
        {
            Check.Equal((uint)((l % 4 + 1) * 10 * 2.5 + 1) + 40 + 1000, d[l], $"lane {l}");
        }

        Check.Equal(37L, machine.Download<long>(machine.AddressOf(module, "counter"), 1)[0], "global counter");
    }
}
