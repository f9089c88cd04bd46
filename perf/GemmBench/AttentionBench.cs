using System.Diagnostics;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Attention;

namespace PureSharpQLoRA.GemmBench;

/// <summary>Causal attention: useful GFLOP/s, where only the half of the products below the diagonal counts as useful.</summary>
internal static unsafe class AttentionBench
{
    public static void Run(double seconds)
    {
        Console.WriteLine();
        Console.WriteLine("| documents x length, heads / key heads x size | forward 1 / 2 threads | backward 1 / 2 threads |");
        Console.WriteLine("|---|---|---|");
        Case(seconds, "15M", 8, 256, 6, 6, 48);
        Case(seconds, "135M", 1, 256, 9, 3, 64);
        Case(seconds, "1.1B", 1, 128, 32, 4, 64);
        Case(seconds, "", 1, 2048, 32, 4, 64);
        Case(seconds, "", 1, 1024, 8, 8, 128);
    }

    private static void Case(double seconds, string model, int documents, int length, int heads, int keyHeads, int size)
    {
        var results = new double[4];
        for (int threads = 1; threads <= 2; threads++)
        {
            using var team = new ThreadTeam(threads);
            using var memory = new MemoryPool(new CpuAllocator());
            using var engine = new AttentionEngine();
            using var scope = new TensorScope(memory, MemoryPurpose.Activations);
            var shape = new AttentionShape(heads, keyHeads, size, 1 / MathF.Sqrt(size));
            int[] starts = [.. Enumerable.Range(0, documents + 1).Select(i => i * length)];
            var random = new Random(3);
            var operands = new AttentionOperands
            {
                Query = Matrix(scope, random, starts[^1], shape.QueryWidth),
                Key = Matrix(scope, random, starts[^1], shape.KeyWidth),
                Value = Matrix(scope, random, starts[^1], shape.KeyWidth),
                Output = Matrix(scope, random, starts[^1], shape.QueryWidth),
                OutputGradient = Matrix(scope, random, starts[^1], shape.QueryWidth),
                QueryGradient = Matrix(scope, random, starts[^1], shape.QueryWidth),
                KeyGradient = Matrix(scope, random, starts[^1], shape.KeyWidth),
                ValueGradient = Matrix(scope, random, starts[^1], shape.KeyWidth),
                LogSumExp = Matrix(scope, random, heads, starts[^1]),
            };
            double unit = (double)documents * heads * length * length * size / 1e9;
            results[threads - 1] = 2 * unit / Best(seconds, () => engine.Forward(team, memory, operands, shape, starts, 0));
            results[threads + 1] = 5 * unit / Best(seconds, () => engine.Backward(team, memory, operands, shape, starts));
        }

        Console.WriteLine(
            $"| {documents} x {length}, {heads} / {keyHeads} x {size}{(model.Length > 0 ? $" ({model})" : "")} "
            + $"| {results[0]:F0} / {results[1]:F0} | {results[2]:F0} / {results[3]:F0} |");
    }

    private static float* Matrix(TensorScope scope, Random random, int rows, int columns)
    {
        Tensor tensor = scope.Allocate(new Shape(rows, columns));
        float* values = (float*)tensor.Address;
        for (long i = 0; i < tensor.Shape.Count; i++)
        {
            values[i] = (float)(4 * random.NextDouble() - 2);
        }

        return values;
    }

    /// <summary>The shortest time of a call in seconds.</summary>
    private static double Best(double seconds, Action action)
    {
        action();
        double best = double.MaxValue;
        long until = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        while (Stopwatch.GetTimestamp() < until)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }
}
