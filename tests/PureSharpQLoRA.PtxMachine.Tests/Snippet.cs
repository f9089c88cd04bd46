
namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Runs a few hand-written PTX instructions per thread on arrays of operands.</summary>
public static class Snippet
{
    public const string Header = ".version 8.0\n.target sm_90\n.address_size 64\n";

    /// <summary>
    /// Every thread i has a = A[i], b = B[i], c = C[i] in registers %a, %b, %c of their types and leaves its result in %d.
    /// </summary>
    public static TD[] Run<TA, TB, TC, TD>(string body, string typeA, TA[] a, string typeB, TB[] b, string typeC, TC[] c, string typeD)
        where TA : unmanaged where TB : unmanaged where TC : unmanaged where TD : unmanaged
    {
        int n = a.Length;
        string ptx = Header + $$"""
            .visible .entry k(.param .b64 pa, .param .b64 pb, .param .b64 pc, .param .b64 pd, .param .u32 n)
            {
                .reg .b64 %p<5>; .reg .u32 %i<4>; .reg .pred %q<8>;
                .reg .{{typeA}} %a; .reg .{{typeB}} %b; .reg .{{typeC}} %c; .reg .{{typeD}} %d;
                .reg .b16 %h<8>; .reg .b32 %r<8>; .reg .b64 %l<8>; .reg .f32 %f<8>; .reg .f64 %e<8>;
                mov.u32 %i0, %ctaid.x; mov.u32 %i1, %ntid.x; mov.u32 %i2, %tid.x;
                mad.lo.u32 %i3, %i0, %i1, %i2;
                ld.param.u32 %i0, [n];
                setp.ge.u32 %q7, %i3, %i0;
                @%q7 exit;
                ld.param.b64 %p0, [pa]; mad.wide.u32 %p4, %i3, {{Size<TA>()}}, %p0; ld.global.{{Memory(typeA)}} %a, [%p4];
                ld.param.b64 %p1, [pb]; mad.wide.u32 %p4, %i3, {{Size<TB>()}}, %p1; ld.global.{{Memory(typeB)}} %b, [%p4];
                ld.param.b64 %p2, [pc]; mad.wide.u32 %p4, %i3, {{Size<TC>()}}, %p2; ld.global.{{Memory(typeC)}} %c, [%p4];
                {{body}}
                ld.param.b64 %p3, [pd]; mad.wide.u32 %p4, %i3, {{Size<TD>()}}, %p3; st.global.{{Memory(typeD)}} [%p4], %d;
                ret;
            }
            """;
        using var machine = new Machine();
        PtxModule module = PtxModule.Parse(ptx);
        ulong pd = machine.Allocate((long)n * Size<TD>());
        machine.Launch(module, "k", (n + 127) / 128, Math.Min(n, 128), 0, machine.Upload(a), machine.Upload(b), machine.Upload(c), pd, n);
        return machine.Download<TD>(pd, n);
    }

    public static T[] Run<T>(string body, string type, T[] a, T[] b, T[] c) where T : unmanaged => Run<T, T, T, T>(body, type, a, type, b, type, c, type);

    public static TD[] Convert<TA, TD>(string body, string typeA, TA[] a, string typeD) where TA : unmanaged where TD : unmanaged =>
        Run<TA, TA, TA, TD>(body, typeA, a, typeA, a, typeA, a, typeD);

    private static unsafe int Size<T>() where T : unmanaged => sizeof(T);

    private static string Memory(string type) => type switch { "f16" or "bf16" => "b16", "f16x2" or "bf16x2" => "b32", _ => type };
}
