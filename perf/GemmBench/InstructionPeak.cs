using System.Diagnostics;
using Iced.Intel;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Gemm;
using static Iced.Intel.AssemblerRegisters;

namespace PureSharpQLoRA.GemmBench;

/// <summary>What the processor can multiply at most: 24 independent sums in registers, nothing loaded or stored.</summary>
internal sealed unsafe class InstructionPeak : ITeamWork, IDisposable
{
    private const int Sums = 24;
    private const int Rounds = 40000;
    private const int PartsPerMember = 8;

    private readonly ExecutableMemory _code;
    private readonly delegate* unmanaged<long, void> _entry;
    private readonly int _flopsPerInstruction;
    private int _next;
    private int _parts;

    public InstructionPeak(bool bf16)
    {
        _flopsPerInstruction = bf16 ? 64 : 32;
        var assembler = new Assembler(64);
        AssemblerRegister64 rounds = OperatingSystem.IsWindows() ? rcx : rdi;
        for (int i = 0; i < Sums + 2; i++)
        {
            AssemblerRegisterZMM register = new(Register.ZMM0 + i);
            assembler.vpxord(register, register, register);
        }

        Label loop = assembler.CreateLabel();
        assembler.Label(ref loop);
        for (int i = 0; i < Sums; i++)
        {
            AssemblerRegisterZMM sum = new(Register.ZMM0 + i);
            if (bf16)
            {
                assembler.vdpbf16ps(sum, zmm24, zmm25);
            }
            else
            {
                assembler.vfmadd231ps(sum, zmm24, zmm25);
            }
        }

        assembler.dec(rounds);
        assembler.jnz(loop);
        assembler.vzeroupper();
        assembler.ret();
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        _code = new ExecutableMemory(stream.ToArray());
        _entry = (delegate* unmanaged<long, void>)_code.EntryPoint;
    }

    /// <summary>GFLOP/s of the team, the best of the given time.</summary>
    public double Measure(ThreadTeam team, double seconds)
    {
        _parts = team.Size * PartsPerMember;
        double flops = (double)_parts * Rounds * Sums * _flopsPerInstruction;
        double best = double.MaxValue;
        for (var total = Stopwatch.StartNew(); total.Elapsed.TotalSeconds < seconds;)
        {
            _next = 0;
            long start = Stopwatch.GetTimestamp();
            team.Run(this);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return flops / best / 1e9;
    }

    public void Dispose() => _code.Dispose();

    void ITeamWork.Run(int member)
    {
        while (Interlocked.Increment(ref _next) <= _parts)
        {
            _entry(Rounds);
        }
    }
}
