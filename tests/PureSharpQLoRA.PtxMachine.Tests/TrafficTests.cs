
namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Counters of the launch report: coalescing, bank conflicts, bytes and instruction counts.</summary>
public static class TrafficTests
{
    private static LaunchReport Launch(string body, int threads = 32, MachineOptions? options = null)
    {
        string ptx = Snippet.Header + $$"""
            .visible .entry k(.param .b64 a)
            {
                .reg .b32 %r<8>; .reg .b64 %p<4>; .shared .align 16 .b8 s[32768];
                mov.u32 %r0, %tid.x; mov.u32 %r1, s;
                ld.param.b64 %p0, [a];
                {{body}}
                ret;
            }
            """;
        using var machine = new Machine(options);
        return machine.Launch(PtxModule.Parse(ptx), "k", 1, threads, 0, machine.Upload(new uint[16384]));
    }

    private static LaunchReport Global(int stride, string load = "ld.global.u32 %r2, [%p1];") => Launch($"mad.wide.u32 %p1, %r0, {stride}, %p0; {load}");

    private static long Conflicts(int stride, string access) => Launch($"mad.lo.u32 %r2, %r0, {stride}, %r1; {access}").BankConflicts;

    [Fact]
    public static void Coalescing()
    {
        Check.Equal(4L, Global(4).GlobalReadSectors, "consecutive words");
        Check.Equal(1.0, Global(4).CoalescingEfficiency, "efficiency");
        Check.Equal(8L, Global(8).GlobalReadSectors, "every second word");
        Check.Equal(32L, Global(32).GlobalReadSectors, "stride of a sector");
        Check.Equal(32L, Global(128).GlobalReadSectors, "column access");
        Check.Equal(0.125, Global(128).CoalescingEfficiency, "column efficiency");
        Check.Equal(1L, Global(0).GlobalReadSectors, "broadcast");
        Check.Equal(16L, Global(16, "ld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%p1];").GlobalReadSectors, "16 bytes per lane");
        Check.Equal(5L, Launch("mad.wide.u32 %p1, %r0, 4, %p0; ld.global.u32 %r2, [%p1+4];").GlobalReadSectors, "misaligned start");
        LaunchReport r = Launch("mad.wide.u32 %p1, %r0, 4, %p0; ld.global.u32 %r2, [%p1]; st.global.u32 [%p1+128], %r2; red.global.add.u32 [%p0], 1;");
        Check.Equal((128L, 128L, 128L), (r.GlobalReadBytes, r.GlobalWriteBytes, r.GlobalAtomicBytes), "bytes");
    }

    [Fact]
    public static void BankConflicts()
    {
        Check.Equal(0L, Conflicts(4, "st.shared.u32 [%r2], %r0;"), "consecutive words");
        Check.Equal(1L, Conflicts(8, "st.shared.u32 [%r2], %r0;"), "stride 2: two-way");
        Check.Equal(31L, Conflicts(128, "st.shared.u32 [%r2], %r0;"), "stride 32: all in one bank");
        Check.Equal(0L, Conflicts(132, "st.shared.u32 [%r2], %r0;"), "padded column");
        Check.Equal(0L, Conflicts(0, "st.shared.u32 [%r1], %r0;"), "same word");
        Check.Equal(0L, Conflicts(16, "st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0};"), "16 bytes side by side");
        Check.Equal(0L, Conflicts(8, "st.shared.v2.u32 [%r2], {%r0,%r0};"), "8 bytes side by side");
        Check.Equal(4L * 7, Conflicts(128, "st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0};"), "16 bytes in one bank group");
        Check.Equal(0L, Conflicts(264, "st.shared.v2.u32 [%r2], {%r0,%r0};"), "8 bytes, padded rows");
        Check.Equal(0L, Conflicts(2, "st.shared.u16 [%r2], %r0;"), "halves share words");
    }

    [Fact]
    public static void LdmatrixConflicts()
    {
        // rows of 64 bytes: rows 0, 2, 4, 6 of an 8x8 matrix start in the same bank, so each matrix needs 4 passes
        const string fill = "mad.lo.u32 %r2, %r0, 64, %r1; st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0}; bar.warp.sync 0xffffffff; ";
        LaunchReport bad = Launch(fill + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3,%r4,%r5,%r6}, [%r2];");
        Check.Equal(12L, bad.BankConflictsOf("ldmatrix"), "64-byte rows");
        LaunchReport good = Launch(fill.Replace("64, %r1", "80, %r1") + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3,%r4,%r5,%r6}, [%r2];");
        Check.Equal(0L, good.BankConflictsOf("ldmatrix"), "80-byte rows");
    }

    [Fact]
    public static void InstructionCounts()
    {
        LaunchReport r = Launch("add.u32 %r2, %r0, 1; add.u32 %r2, %r2, 1; bar.sync 0;", 64);
        Check.Equal(4L, r.CountOf("add.u32"), "two adds in two warps");
        Check.Equal(128L, r.Instructions.Where(i => i.Mnemonic == "add.u32").Sum(i => i.ThreadExecutions), "threads");
        Check.Equal(1L, r.Barriers, "barriers");
        Assert.True(r.Instructions.All(i => i.Line > 0), "every instruction has a line");
    }

    [Fact]
    public static void HostThreadsGiveTheSameResult()
    {
        string ptx = Snippet.Header + """
            .visible .entry k(.param .b64 a)
            {
                .reg .b32 %r<8>; .reg .b64 %p<4>; .shared .b32 s[64];
                mov.u32 %r0, %tid.x; mov.u32 %r1, s; mad.lo.u32 %r1, %r0, 4, %r1;
                mov.u32 %r2, %ctaid.x; add.u32 %r3, %r2, %r0;
                st.shared.u32 [%r1], %r3; bar.sync 0; ld.shared.u32 %r4, [%r1];
                ld.param.b64 %p0, [a]; red.global.add.u32 [%p0], %r4;
                ret;
            }
            """;
        PtxModule module = PtxModule.Parse(ptx);
        foreach (int threads in new[] { 1, 2, 4 })
        {
            using var machine = new Machine(new MachineOptions { HostThreads = threads });
            ulong a = machine.Upload(new uint[1]);
            LaunchReport r = machine.Launch(module, "k", 200, 64, 0, a);
            Check.Equal((uint)Enumerable.Range(0, 200).Sum(b => Enumerable.Range(0, 64).Sum(t => b + t)), machine.Download<uint>(a, 1)[0], $"{threads} host threads");
            Check.Equal(200L, r.Barriers, "barriers");
        }
    }
}
