using System.Globalization;

namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Every check must find its fault: bounds, alignment, initialisation, races, barriers, unknown PTX, bad launches.</summary>
public static class NegativeTests
{
    private const string Prologue = """
        .reg .b32 %r<8>; .reg .b64 %p<8>; .reg .pred %q<4>;
        .shared .align 16 .b8 first[256];
        .shared .align 16 .b8 second[256];
        mov.u32 %r0, %tid.x;
        ld.param.b64 %p0, [a];
        mad.wide.u32 %p1, %r0, 4, %p0;
        mov.u32 %r1, first;
        mad.lo.u32 %r2, %r0, 4, %r1;
        """;

    private static PtxModule Module(string body) => PtxModule.Parse(Snippet.Header + ".visible .entry bad(.param .b64 a)\n{\n" + Prologue + "\n" + body + "\nret;\n}\n");

    private static LaunchReport Launch(string body, int threads, int words = 64, bool collect = true, bool initialised = true)
    {
        using var machine = new Machine(new MachineOptions { Violations = collect ? ViolationMode.Collect : ViolationMode.Throw });
        ulong a = initialised ? machine.Upload(new uint[words], "array a") : machine.Allocate(4 * words, "array a");
        machine.Allocate(64, "neighbour");
        return machine.Launch(Module(body), "bad", 1, threads, 0, a);
    }

    private static void Only(LaunchReport report, ViolationKind kind, string fragment)
    {
        Assert.True(report.Violations.Count > 0, $"no violation, expected {kind}");
        foreach (Violation v in report.Violations)
        {
            Check.Equal(kind, v.Kind, v.ToString());
        }

        Assert.True(report.Violations[0].ToString().Contains(fragment, StringComparison.Ordinal), $"'{fragment}' missing in: {report.Violations[0]}");
    }

    [Fact]
    public static void GlobalOutOfBounds()
    {
        PtxFaultException e = Check.Throws<PtxFaultException>(() => Launch("ld.global.u32 %r3, [%p1];", 96), "bad", "ld.global.u32 %r3, [%p1]", "out-of-bounds global read of 4 bytes", "offset 256 of 'array a'", "256 bytes", "thread (64,0,0)");
        Check.Equal(64, e.Thread.X, "first bad thread");
        Check.Throws<PtxFaultException>(() => Launch("st.global.u32 [%p0+-4], %r0;", 1), "out-of-bounds global write", "4 bytes before 'array a'");
        Check.Throws<PtxFaultException>(() => Launch("ld.global.v4.u32 {%r3,%r4,%r5,%r6}, [%p0+256];", 1), "out-of-bounds");
        Check.Throws<PtxFaultException>(() => Launch("mov.u64 %p2, 0; ld.global.u32 %r3, [%p2];", 1), "out-of-bounds");
    }

    [Fact]
    public static void Misaligned()
    {
        Check.Throws<PtxFaultException>(() => Launch("ld.global.u32 %r3, [%p0+2];", 1), "misaligned global", "multiple of 4");
        Check.Throws<PtxFaultException>(() => Launch("ld.global.v4.u32 {%r3,%r4,%r5,%r6}, [%p0+8];", 1), "misaligned global", "multiple of 16");
        Check.Throws<PtxFaultException>(() => Launch("st.shared.u64 [%r1+4], %p0;", 1), "misaligned shared", "multiple of 8");
    }

    [Fact]
    public static void SharedOutOfBounds()
    {
        Check.Throws<PtxFaultException>(() => Launch("st.shared.u32 [%r2], %r0;", 65), "out-of-bounds shared write", "offset 256 of 'first'", "thread (64,0,0)");
        Check.Throws<PtxFaultException>(() => Launch("st.shared.u32 [second+4096], %r0;", 1), "out-of-bounds shared", "'second'");
        Check.Throws<PtxFaultException>(() => Launch("mov.u32 %r3, 0; ld.shared.u32 %r4, [%r3];", 1), "out-of-bounds shared");
    }

    [Fact]
    public static void LocalOutOfBounds() =>
        Check.Throws<PtxFaultException>(() => Launch(".local .b32 mine[4]; mov.u64 %p2, mine; st.local.u32 [%p2+16], %r0;", 1), "out-of-bounds local write");

    [Fact]
    public static void UseAfterFree()
    {
        using var machine = new Machine();
        ulong a = machine.Upload(new uint[64], "gone");
        machine.Free(a);
        Check.Throws<PtxFaultException>(() => machine.Launch(Module("ld.global.u32 %r3, [%p1];"), "bad", 1, 32, 0, a), "freed memory of 'gone'");
    }

    [Fact]
    public static void WriteToConstant()
    {
        PtxModule module = PtxModule.Parse(Snippet.Header + ".const .b32 c[4];\n.visible .entry k() { .reg .b64 %p; mov.u64 %p, c; st.global.u32 [%p], 1; ret; }");
        using var machine = new Machine();
        Check.Throws<PtxFaultException>(() => machine.Launch(module, "k", 1, 1, 0), "write to constant memory 'c'");
    }

    [Fact]
    public static void UninitialisedReads()
    {
        Only(Launch("ld.global.u32 %r3, [%p1];", 32, initialised: false), ViolationKind.UninitializedRead, "never written");
        LaunchReport shared = Launch("ld.shared.u32 %r3, [%r2];", 64);
        Only(shared, ViolationKind.UninitializedRead, "'first'");
        Check.Equal(64L, shared.Violations.Single().Count, "one entry counts every lane");
        Only(Launch(".local .b32 mine[4]; ld.local.u32 %r3, [mine+4];", 1), ViolationKind.UninitializedRead, "local read");
        Check.Throws<PtxViolationException>(() => Launch("ld.shared.u32 %r3, [%r2];", 32, collect: false), "UninitializedRead");
    }

    [Fact]
    public static void MissingBarrierIsARace()
    {
        const string exchange = "st.shared.u32 [%r2], %r0; {0} xor.b32 %r3, %r0, 32; mad.lo.u32 %r4, %r3, 4, %r1; ld.shared.u32 %r5, [%r4];";
        LaunchReport missing = Launch(string.Format(CultureInfo.InvariantCulture, exchange, ""), 64);
        Assert.True(missing.Violations.Any(v => v.Kind == ViolationKind.SharedRace || v.Kind == ViolationKind.UninitializedRead), "missing barrier not found");
        Only(Launch(string.Format(CultureInfo.InvariantCulture, "st.shared.u32 [%r2], 0; bar.sync 0; " + exchange, ""), 64), ViolationKind.SharedRace, "not ordered");
        Check.Equal(0, Launch(string.Format(CultureInfo.InvariantCulture, exchange, "bar.sync 0;"), 64).Violations.Count, "violations with the barrier");
        // write after read: the second store overwrites what another warp may still be reading
        const string reuse = "st.shared.u32 [%r2], %r0; bar.sync 0; xor.b32 %r3, %r0, 32; mad.lo.u32 %r4, %r3, 4, %r1; ld.shared.u32 %r5, [%r4]; {0} st.shared.u32 [%r2], %r5;";
        Only(Launch(string.Format(CultureInfo.InvariantCulture, reuse, ""), 64), ViolationKind.SharedRace, "not ordered");
        Check.Equal(0, Launch(string.Format(CultureInfo.InvariantCulture, reuse, "bar.sync 0;"), 64).Violations.Count, "violations with the second barrier");
        // write after write by two warps, and none within one warp
        Only(Launch("st.shared.u32 [%r1], %r0;", 64), ViolationKind.SharedRace, "write of 4 shared bytes");
        Check.Equal(0, Launch("st.shared.u32 [%r1], %r0;", 32).Violations.Count, "one warp does not race with itself");
        // neighbouring halves of one word are different bytes
        Check.Equal(0, Launch("mad.lo.u32 %r3, %r0, 2, %r1; st.shared.u16 [%r3], %r0;", 64).Violations.Count, "bytes");
        Check.Equal(0, Launch("setp.eq.u32 %q0, %r0, 0; @%q0 st.shared.u32 [%r1], 0; bar.sync 0; atom.shared.add.u32 %r3, [%r1], 1;", 64).Violations.Count, "atomics do not race");
    }

    [Fact]
    public static void DivergentBarriers()
    {
        // half a warp waits at one barrier, the other half at a later one
        LaunchReport report = Launch("setp.lt.u32 %q0, %r0, 16; @!%q0 bra OTHER; bar.sync 0; bra DONE; OTHER: bar.sync 1; DONE:", 32);
        Only(report, ViolationKind.DivergentBarrier, "divergence in warp 0");
        Check.Equal(1, report.AbortedBlocks, "aborted blocks");
        // one warp never arrives: it has exited
        Only(Launch("setp.lt.u32 %q0, %r0, 32; @%q0 exit; bar.sync 0;", 96), ViolationKind.ExitedAtBarrier, "have exited");
        Only(Launch("setp.lt.u32 %q0, %r0, 16; @%q0 exit; bar.sync 0;", 32), ViolationKind.ExitedAtBarrier, "lanes of this warp have exited");
        // two warps wait at different barriers for ever
        Only(Launch("setp.lt.u32 %q0, %r0, 32; @%q0 bra A; bar.sync 1; bra DONE; A: bar.sync 2; DONE:", 64), ViolationKind.DivergentBarrier, "deadlock");
        Only(Launch("setp.lt.u32 %q0, %r0, 16; @%q0 bar.sync 0;", 32), ViolationKind.DivergentBarrier, "guard differs");
        Check.Equal(0, Launch("setp.lt.u32 %q0, %r0, 32; @%q0 bra A; bar.sync 0; bra DONE; A: bar.sync 0; DONE:", 64).Violations.Count, "whole warps may meet barrier 0 at different lines");
    }

    [Fact]
    public static void DivergentShuffle()
    {
        Only(Launch("setp.lt.u32 %q0, %r0, 16; @%q0 shfl.sync.bfly.b32 %r3, %r0, 1, 31, 0xffffffff;", 32), ViolationKind.DivergentSync, "member mask");
        Only(Launch("setp.lt.u32 %q0, %r0, 16; @%q0 bra A; shfl.sync.bfly.b32 %r3, %r0, 1, 31, 0xffffffff; bra B; A: shfl.sync.bfly.b32 %r3, %r0, 1, 31, 0xffffffff; B:", 32), ViolationKind.DivergentSync, "divergence");
        Check.Equal(0, Launch("setp.lt.u32 %q0, %r0, 16; @%q0 shfl.sync.bfly.b32 %r3, %r0, 1, 31, 0x0000ffff;", 32).Violations.Count, "a fitting mask is legal");
    }

    [Fact]
    public static void AsyncCopyWithoutWait()
    {
        const string copy = "mad.lo.u32 %r3, %r0, 16, %r1; mad.wide.u32 %p2, %r0, 16, %p0; cp.async.cg.shared.global [%r3], [%p2], 16; cp.async.commit_group; {0} ld.shared.u32 %r4, [%r3];";
        Only(Launch(string.Format(CultureInfo.InvariantCulture, copy, ""), 16), ViolationKind.AsyncCopyInFlight, "cp.async");
        Only(Launch(string.Format(CultureInfo.InvariantCulture, copy, "cp.async.wait_group 1;"), 16), ViolationKind.AsyncCopyInFlight, "cp.async");
        Check.Equal(0, Launch(string.Format(CultureInfo.InvariantCulture, copy, "cp.async.wait_group 0;"), 16).Violations.Count, "waited");
        Check.Equal(0, Launch(string.Format(CultureInfo.InvariantCulture, copy, "cp.async.wait_all;"), 16).Violations.Count, "waited for all");
        // waited for, but read by another warp without a barrier
        const string other = "mad.lo.u32 %r3, %r0, 4, %r1; cp.async.ca.shared.global [%r3], [%p1], 4; cp.async.wait_all; {0} xor.b32 %r5, %r0, 32; mad.lo.u32 %r3, %r5, 4, %r1; ld.shared.u32 %r4, [%r3];";
        Assert.True(Launch(string.Format(CultureInfo.InvariantCulture, other, ""), 64).Violations.Any(v => v.Kind == ViolationKind.SharedRace), "race after cp.async");
        Check.Equal(0, Launch(string.Format(CultureInfo.InvariantCulture, other, "bar.sync 0;"), 64).Violations.Count, "ordered cp.async");
    }

    [Fact]
    public static void WrongAddressSpace()
    {
        Only(Launch("cvta.to.shared.u64 %p2, %p0;", 1), ViolationKind.WrongAddressSpace, "is a global address");
        Only(Launch("mov.u64 %p2, first; cvta.shared.u64 %p2, %p2; cvta.to.global.u64 %p3, %p2;", 1), ViolationKind.WrongAddressSpace, "is a shared address");
        Check.Equal(0, Launch("mov.u64 %p2, 0; cvta.to.shared.u64 %p3, %p2; cvta.to.global.u64 %p3, %p0;", 1).Violations.Count, "null and matching casts");
        Check.Throws<PtxFaultException>(() => Launch("cvta.to.shared.u64 %p2, %p0; ld.global.u32 %r3, [%p2];", 1), "out-of-bounds global", "before it: WrongAddressSpace");
    }

    [Fact]
    public static void AsyncCopyZeroFill()
    {
        string ptx = Snippet.Header + """
            .visible .entry k(.param .b64 a, .param .b64 b)
            {
                .reg .b32 %r<8>; .reg .b64 %p<4>; .shared .align 16 .b8 tile[512];
                mov.u32 %r0, %tid.x; mov.u32 %r1, tile; mad.lo.u32 %r2, %r0, 16, %r1;
                ld.param.b64 %p0, [a]; mad.wide.u32 %p1, %r0, 16, %p0;
                and.b32 %r7, %r0, 15;
                cp.async.cg.shared.global [%r2], [%p1], 16, %r7;
                cp.async.wait_all;
                ld.shared.v4.b32 {%r3,%r4,%r5,%r6}, [%r2];
                ld.param.b64 %p2, [b]; mad.wide.u32 %p2, %r0, 16, %p2;
                st.global.v4.b32 [%p2], {%r3,%r4,%r5,%r6};
                ret;
            }
            """;
        using var machine = new Machine();
        byte[] data = [.. Enumerable.Range(0, 16 * 16).Select(i => (byte)(i % 250 + 1))];
        ulong b = machine.Allocate(256);
        machine.Launch(PtxModule.Parse(ptx), "k", 1, 16, 0, machine.Upload(data), b);
        byte[] result = machine.Download<byte>(b, 256);
        for (int i = 0; i < 256; i++)
        {
            Check.Equal(i % 16 < i / 16 ? data[i] : (byte)0, result[i], $"byte {i}");
        }
    }

    [Fact]
    public static void UnknownPtxIsAParseError()
    {
        PtxParseException e = Check.Throws<PtxParseException>(() => Module("wgmma.fence.sync.aligned;"), "unknown instruction 'wgmma'", "wgmma.fence.sync.aligned");
        Check.Equal(14, e.Line, "line");
        Check.Throws<PtxParseException>(() => Module("add.wrong.s32 %r0, %r1, %r2;"), "modifier .wrong is not supported");
        Check.Throws<PtxParseException>(() => Module("add.s32 %r0, %p1, %r2;"), "does not fit");
        Check.Throws<PtxParseException>(() => Module("add.s32 %r0, %zz, %r2;"), "%zz");
        Check.Throws<PtxParseException>(() => Module("setp.lt.f16x2 %q0|%q1, %r0, %r1;"), "does not take type F16x2");
        Check.Throws<PtxParseException>(() => Module("bra NOWHERE;"), "unknown label 'NOWHERE'");
        Check.Throws<PtxParseException>(() => Module("mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32 {%r0}, {%r0}, {%r0}, {%r0};"), "mma");
        Check.Throws<PtxParseException>(() => Module("cvt.s32.f32 %r0, %r1;"), "float to integer needs");
        Check.Throws<PtxParseException>(() => Module("ld.global.v8.f32 {%r0,%r0,%r0,%r0,%r0,%r0,%r0,%r0}, [%p0];"), "over 16 bytes");
        Check.Throws<PtxParseException>(() => Module("tex.2d.v4.f32.s32 {%r0,%r1,%r2,%r3}, [%p0, {%r0}];"), "PTX line 14");
        Check.Throws<PtxParseException>(() => PtxModule.Parse(".version 6.5\n.target sm_75\n.address_size 64\n.visible .entry k() { .reg .b32 %r; .reg .b64 %p; cp.async.wait_all; ret; }"), "needs .target sm_80");
        Check.Throws<PtxParseException>(() => PtxModule.Parse(Snippet.Header + ".visible .entry k() { call.uni missing, (); ret; }"), "'missing' is not defined");
    }

    [Fact]
    public static void BadLaunches()
    {
        using var machine = new Machine();
        PtxModule module = Module("mov.u32 %r3, 0;");
        Check.Throws<PtxLaunchException>(() => machine.Launch(module, "nothing", 1, 32, 0), "no kernel 'nothing'", "bad");
        Check.Throws<PtxLaunchException>(() => machine.Launch(module, "bad", 1, 2048, 0, 0UL), "block");
        Check.Throws<PtxLaunchException>(() => machine.Launch(module, "bad", 1, 32, 0, 0), "4 bytes", "8");
        Check.Throws<PtxLaunchException>(() => machine.Launch(module, "bad", 1, 32, 0), "1 arguments");
        Check.Throws<PtxLaunchException>(() => machine.Launch(module, "bad", 1, 32, 250_000, 0UL), "shared bytes");
        PtxModule limited = PtxModule.Parse(Snippet.Header + ".visible .entry k() .maxntid 64, 1, 1 { ret; }");
        Check.Throws<PtxLaunchException>(() => machine.Launch(limited, "k", 1, 96, 0), ".maxntid 64");
        PtxModule loop = PtxModule.Parse(Snippet.Header + ".visible .entry k() { L: bra L; }");
        using var impatient = new Machine(new MachineOptions { MaxWarpInstructions = 100_000 });
        Check.Throws<PtxLaunchException>(() => impatient.Launch(loop, "k", 1, 32, 0), "endless loop");
        Check.Throws<PtxFaultException>(() => machine.Launch(Module("setp.eq.u32 %q0, %r0, 5; @%q0 trap;"), "bad", 1, 32, 0, machine.Upload(new uint[64])), "trap", "thread (5,0,0)");
    }
}
