using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using PureSharpQLoRA.Core.Quantization;
using static Iced.Intel.AssemblerRegisters;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>The operands of one row's dot product; read by assembled code.</summary>
internal unsafe struct Nf4RowCall
{
    public nint Groups;
    public byte* Codes;
    public float* Scales;
    public byte* Input;
    public Vector512<int>* ScaleLanes;
}

/// <summary>
/// The bf16 dot product of one NF4 row with a reordered vector: vpermw decodes 32 codes at once (the
/// 16-entry book is stored twice, so bit 4 of an index does not matter) and vdpbf16ps multiplies them.
/// </summary>
internal sealed unsafe class Nf4RowKernelBf16 : IDisposable
{
    private const int PrefetchDistance = 1024;

    private static readonly ushort[] TwiceTheLevels = RoundLevels();

    private readonly ExecutableMemory _code;
    private readonly delegate* unmanaged[SuppressGCTransition]<Nf4RowCall*, void*, Vector512<float>*, void> _entry;

    public Nf4RowKernelBf16()
    {
        _code = new ExecutableMemory(Assemble());
        _entry = (delegate* unmanaged[SuppressGCTransition]<Nf4RowCall*, void*, Vector512<float>*, void>)_code.EntryPoint;
    }

    /// <summary>Puts the vector in the order of the codes: the kernel shifts 16-bit words of four codes, so its units are 32 elements long.</summary>
    public static void Reorder(float* x, int columns, ushort* to)
    {
        for (int group = 0; group < columns; group += Nf4RowKernel.GroupLength)
        {
            int lanes = Math.Min(Nf4RowKernel.GroupLength, columns - group) / 4;
            for (int unit = 0; unit < 4; unit++, to += 32)
            {
                float* from = x + group + (unit ^ 1);
                for (int lane = 0; lane < 32; lane++)
                {
                    to[lane] = lane < lanes ? (ushort)Bf16.Round(from[4 * lane]) : (ushort)0;
                }
            }
        }
    }

    /// <summary>One row times the reordered vector.</summary>
    public float Dot(in RightOperand weight, int row, float* reordered)
    {
        nint flat = (nint)row * weight.Columns;
        Vector512<int> lanes = Nf4RowKernel.ScaleLanes(flat);
        Vector512<float> sum;
        Nf4RowCall call;
        call.Groups = (weight.Columns + Nf4RowKernel.GroupLength - 1) / Nf4RowKernel.GroupLength;
        call.Codes = weight.Values + flat / 2;
        call.Scales = weight.Scales + flat / Nf4Format.BlockSize;
        call.Input = (byte*)reordered;
        call.ScaleLanes = &lanes;
        fixed (ushort* levels = TwiceTheLevels)
        {
            _entry(&call, levels, &sum);
        }

        return Vector512.Sum(sum);
    }

    public void Dispose() => _code.Dispose();

    private static ushort[] RoundLevels()
    {
        var levels = new ushort[32];
        for (int i = 0; i < levels.Length; i++)
        {
            levels[i] = (ushort)Bf16.Round(Nf4Format.Levels[i % 16]);
        }

        return levels;
    }

    private static byte[] Assemble()
    {
        // zmm16 and up are free for the callee in both calling conventions.
        var asm = new Assembler(64);
        (AssemblerRegister64 arguments, AssemblerRegister64 book, AssemblerRegister64 result) =
            OperatingSystem.IsWindows() ? (rcx, rdx, r8) : (rdi, rsi, rdx);
        asm.vmovups(zmm16, __zmmword_ptr[book]);
        asm.mov(r9, __qword_ptr[arguments + Offset(nameof(Nf4RowCall.ScaleLanes))]);
        asm.vmovups(zmm17, __zmmword_ptr[r9]);
        asm.mov(rax, __qword_ptr[arguments + Offset(nameof(Nf4RowCall.Groups))]);
        asm.mov(r9, __qword_ptr[arguments + Offset(nameof(Nf4RowCall.Codes))]);
        asm.mov(r10, __qword_ptr[arguments + Offset(nameof(Nf4RowCall.Scales))]);
        asm.mov(r11, __qword_ptr[arguments + Offset(nameof(Nf4RowCall.Input))]);
        asm.vpxord(zmm18, zmm18, zmm18);

        Label loop = asm.CreateLabel();
        asm.Label(ref loop);
        asm.vmovdqu32(zmm19, __zmmword_ptr[r9]);
        asm.prefetcht0(__byte_ptr[r9 + PrefetchDistance]);
        asm.vpxord(zmm20, zmm20, zmm20);
        asm.vpxord(zmm21, zmm21, zmm21);
        asm.vpermw(zmm22, zmm19, zmm16);
        asm.vpsrlw(zmm23, zmm19, 4);
        asm.vpsrlw(zmm24, zmm19, 8);
        asm.vpsrlw(zmm25, zmm19, 12);
        asm.vpermw(zmm23, zmm23, zmm16);
        asm.vpermw(zmm24, zmm24, zmm16);
        asm.vpermw(zmm25, zmm25, zmm16);
        asm.vdpbf16ps(zmm20, zmm22, __zmmword_ptr[r11]);
        asm.vdpbf16ps(zmm21, zmm23, __zmmword_ptr[r11 + 64]);
        asm.vdpbf16ps(zmm20, zmm24, __zmmword_ptr[r11 + 128]);
        asm.vdpbf16ps(zmm21, zmm25, __zmmword_ptr[r11 + 192]);
        asm.vpermps(zmm26, zmm17, __zmmword_ptr[r10]);
        asm.vaddps(zmm20, zmm20, zmm21);
        asm.vfmadd231ps(zmm18, zmm20, zmm26);
        asm.add(r9, 64);
        asm.add(r10, 8);
        asm.add(r11, 256);
        asm.dec(rax);
        asm.jnz(loop);

        asm.vmovups(__zmmword_ptr[result], zmm18);
        asm.vzeroupper();
        asm.ret();
        using var stream = new MemoryStream();
        asm.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private static int Offset(string field) => (int)Marshal.OffsetOf<Nf4RowCall>(field);
}
