using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The bf16 tile product, assembled at run time because .NET does not expose vdpbf16ps. One argument goes in: a pointer to a
/// <see cref="TileCall"/>.
/// </summary>
internal sealed unsafe class TileKernelBf16 : TileKernel, IDisposable
{
    private const int VectorBytes = 64;
    private const int WideVectors = Tile.Columns * Tile.UnitBytes / VectorBytes;
    private const int FirstRightRegister = Tile.Rows * WideVectors;
    private const int FirstBroadcastRegister = FirstRightRegister + WideVectors;
    private const int BroadcastRegisters = 4;

    private readonly ExecutableMemory _wideCode;
    private readonly ExecutableMemory _narrowCode;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileCall*, void> _wide;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileCall*, void> _narrow;

    /// <exception cref="PlatformNotSupportedException">The processor has no AVX512_BF16.</exception>
    public TileKernelBf16()
    {
        if (!IsSupported)
        {
            throw new PlatformNotSupportedException("The processor has no AVX512_BF16, or it is switched off.");
        }

        _wideCode = new ExecutableMemory(Assemble(WideVectors));
        _narrowCode = new ExecutableMemory(Assemble(1));
        _wide = (delegate* unmanaged[SuppressGCTransition]<TileCall*, void>)_wideCode.EntryPoint;
        _narrow = (delegate* unmanaged[SuppressGCTransition]<TileCall*, void>)_narrowCode.EntryPoint;
    }

    /// <summary>CPUID leaf 7, sub-leaf 1, EAX bit 5; Avx512BW.IsSupported says that the system saves the registers and that nobody switched them off.</summary>
    public static bool IsSupported =>
        Vector512.IsHardwareAccelerated && Avx512BW.IsSupported && RuntimeInformation.ProcessArchitecture == Architecture.X64
        && X86Base.CpuId(0, 0).Eax >= 7 && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;

    public override bool IsBf16 => true;

    public override void Run(in TileCall call)
    {
        fixed (TileCall* pointer = &call)
        {
            if (call.Narrow)
            {
                _narrow(pointer);
            }
            else
            {
                _wide(pointer);
            }
        }
    }

    public void Dispose()
    {
        _wideCode.Dispose();
        _narrowCode.Dispose();
    }

    private static byte[] Assemble(int vectors)
    {
        // Only registers that both the System V and the Windows convention leave to the callee are used,
        // apart from xmm6 to xmm15, which Windows wants preserved.
        var asm = new Assembler(64);
        AssemblerRegister64 arguments = OperatingSystem.IsWindows() ? rcx : rdi;
        EmitWindowsSave(asm);
        asm.mov(rax, Field(arguments, nameof(TileCall.Steps)));
        asm.mov(r8, Field(arguments, nameof(TileCall.Left)));
        asm.mov(r9, Field(arguments, nameof(TileCall.Right)));
        asm.mov(r10, Field(arguments, nameof(TileCall.Output)));
        asm.mov(r11, Field(arguments, nameof(TileCall.OutputStride)));
        asm.mov(edx, __dword_ptr[arguments + Offset(nameof(TileCall.Accumulate))]);
        asm.shl(r11, 2);
        EmitSum(asm, vectors);
        asm.vbroadcastss(Zmm(FirstBroadcastRegister), __dword_ptr[arguments + Offset(nameof(TileCall.Scale))]);
        EmitStore(asm, vectors);
        EmitWindowsRestore(asm);
        asm.vzeroupper();
        asm.ret();

        using var stream = new MemoryStream();
        asm.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private static void EmitSum(Assembler asm, int vectors)
    {
        for (int i = 0; i < Tile.Rows * vectors; i++)
        {
            asm.vpxord(Zmm(i), Zmm(i), Zmm(i));
        }

        Label loop = asm.CreateLabel();
        asm.Label(ref loop);
        for (int j = 0; j < vectors; j++)
        {
            asm.vmovaps(Zmm(FirstRightRegister + j), __zmmword_ptr[r9 + j * VectorBytes]);
        }

        for (int i = 0; i < Tile.Rows; i++)
        {
            AssemblerRegisterZMM broadcast = Zmm(FirstBroadcastRegister + i % BroadcastRegisters);
            asm.vbroadcastss(broadcast, __dword_ptr[r8 + i * Tile.UnitBytes]);
            for (int j = 0; j < vectors; j++)
            {
                AssemblerRegisterZMM sum = Zmm(i * vectors + j);
                AssemblerRegisterZMM right = Zmm(FirstRightRegister + j);
                asm.vdpbf16ps(sum, broadcast, right);
            }
        }

        asm.add(r8, Tile.Rows * Tile.UnitBytes);
        asm.add(r9, Tile.Columns * Tile.UnitBytes);
        asm.dec(rax);
        asm.jnz(loop);
    }

    private static void EmitStore(Assembler asm, int vectors)
    {
        Label overwrite = asm.CreateLabel();
        Label done = asm.CreateLabel();
        asm.test(edx, edx);
        asm.jz(overwrite);
        EmitRows(asm, vectors, true);
        asm.jmp(done);
        asm.Label(ref overwrite);
        EmitRows(asm, vectors, false);
        asm.Label(ref done);
        asm.nop();
    }

    private static void EmitRows(Assembler asm, int vectors, bool accumulate)
    {
        for (int i = 0; i < Tile.Rows; i++)
        {
            for (int j = 0; j < vectors; j++)
            {
                AssemblerRegisterZMM sum = Zmm(i * vectors + j);
                if (accumulate)
                {
                    asm.vfmadd213ps(sum, Zmm(FirstBroadcastRegister), __zmmword_ptr[r10 + j * VectorBytes]);
                }
                else
                {
                    asm.vmulps(sum, sum, Zmm(FirstBroadcastRegister));
                }

                asm.vmovups(__zmmword_ptr[r10 + j * VectorBytes], sum);
            }

            asm.add(r10, r11);
        }
    }

    private static void EmitWindowsSave(Assembler asm)
    {
        if (!OperatingSystem.IsWindows())
        {
            return;
        }

        asm.sub(rsp, 10 * 16 + 8);
        for (int i = 0; i < 10; i++)
        {
            asm.vmovups(__xmmword_ptr[rsp + i * 16], new AssemblerRegisterXMM(Register.XMM6 + i));
        }
    }

    private static void EmitWindowsRestore(Assembler asm)
    {
        if (!OperatingSystem.IsWindows())
        {
            return;
        }

        for (int i = 0; i < 10; i++)
        {
            asm.vmovups(new AssemblerRegisterXMM(Register.XMM6 + i), __xmmword_ptr[rsp + i * 16]);
        }

        asm.add(rsp, 10 * 16 + 8);
    }

    private static AssemblerMemoryOperand Field(AssemblerRegister64 arguments, string name) => __qword_ptr[arguments + Offset(name)];

    private static int Offset(string field) => (int)Marshal.OffsetOf<TileCall>(field);

    private static AssemblerRegisterZMM Zmm(int index) => new(Register.ZMM0 + index);
}
