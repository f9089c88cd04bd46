using System.Diagnostics;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Gemm;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.GemmBench;

/// <summary>One product of a training step on made-up numbers. Its kinds are y: x·Wᵀ; dx: dy·W; dW: aᵀ·b, the gradient of a weight.</summary>
internal sealed record Problem(string Kind, int Tokens, int Inputs, int Outputs, DataType Weight, int Rank = 0)
{
    private const int FewestRepeats = 3;

    /// <summary>The first cells of the table's row.</summary>
    public string Row => $"| {Kind} | {Tokens}, {Inputs}, {Outputs}{(Rank > 0 ? $" + rank {Rank}" : "")} | {Weight} |";

    public double Flops => 2.0 * Tokens * (Inputs * (double)Outputs + Rank * (Kind == "y" ? Outputs : Inputs));

    /// <summary>GFLOP/s, packing of the activations included, the best of the given time.</summary>
    public unsafe double Measure(int threads, bool bf16, double seconds)
    {
        using var team = new ThreadTeam(threads);
        using var memory = new MemoryPool(new CpuAllocator());
        using var scope = new TensorScope(memory, MemoryPurpose.Activations);
        using var engine = new GemmEngine(team, memory, bf16);
        bool forward = Kind == "y";
        Tensor left = Random(scope, Tokens, forward ? Inputs : Outputs, DataType.Float32);
        Tensor right = Kind == "dW" ? Random(scope, Tokens, Inputs, DataType.Float32) : Random(scope, Outputs, Inputs, Weight);
        Tensor output = scope.Allocate(Kind == "dW" ? new Shape(Outputs, Inputs) : new Shape(Tokens, forward ? Outputs : Inputs));
        LowRankTerm? term = null;
        if (Rank > 0)
        {
            Tensor factor = forward ? Random(scope, Outputs, Rank, DataType.Float32) : Random(scope, Rank, Inputs, DataType.Float32);
            term = new LowRankTerm(Random(scope, Tokens, Rank, DataType.Float32), factor);
        }

        double best = double.MaxValue;
        var total = Stopwatch.StartNew();
        for (int repeats = 0; repeats < FewestRepeats || total.Elapsed.TotalSeconds < seconds; repeats++)
        {
            left.MarkWritten();
            long start = Stopwatch.GetTimestamp();
            if (Kind == "dW")
            {
                engine.MultiplyGradient(left, right, (float*)output.Address, true);
            }
            else
            {
                engine.Multiply(left, right, forward, (float*)output.Address, 1, false, term);
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return Flops / best / 1e9;
    }

    private static unsafe Tensor Random(TensorScope scope, int rows, int columns, DataType type)
    {
        var random = new Random(7);
        Tensor tensor = scope.Allocate(new Shape(rows, columns), type);
        int count = checked(rows * columns);
        switch (type)
        {
            case DataType.Nf4:
                random.NextBytes(new Span<byte>((void*)tensor.Address, (count + 1) / 2));
                Tensor scales = scope.Allocate(new Shape((count + 63) / 64));
                new Span<float>((void*)scales.Address, (count + 63) / 64).Fill(0.1f);
                tensor.AttachStatistics(new Nf4Statistics(scales));
                break;
            case DataType.BFloat16:
                foreach (ref ushort value in new Span<ushort>((void*)tensor.Address, count))
                {
                    value = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16);
                }

                break;
            default:
                foreach (ref float value in new Span<float>((void*)tensor.Address, count))
                {
                    value = random.NextSingle() - 0.5f;
                }

                break;
        }

        return tensor;
    }
}
