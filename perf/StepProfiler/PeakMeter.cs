using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.StepProfiler;

/// <summary>The most fp32 multiply-adds per second that the processor does, measured with nothing but registers.</summary>
internal static class PeakMeter
{
    private const long Rounds = 8_000_000;
    private const int ChainsPerRound = 12;

    /// <summary>GFLOP/s on so many threads at once, over about 50 ms.</summary>
    public static double MeasureGigaflops(int threads)
    {
        var workers = new Thread[threads];
        var starts = new long[threads];
        var ends = new long[threads];
        using var barrier = new Barrier(threads);
        for (int i = 0; i < threads; i++)
        {
            int worker = i;
            workers[i] = new Thread(() =>
            {
                barrier.SignalAndWait();

                // Taken here: with a thread on every core, an observer would be woken late.
                starts[worker] = Stopwatch.GetTimestamp();
                Sink(Chains(Rounds));
                ends[worker] = Stopwatch.GetTimestamp();
            });
            workers[i].Start();
        }

        foreach (Thread worker in workers)
        {
            worker.Join();
        }

        double seconds = Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds;
        return 2.0 * Vector512<float>.Count * ChainsPerRound * Rounds * threads / seconds / 1e9;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Sink(float value) => GC.KeepAlive(value);

    /// <summary>Twelve independent chains of multiply-adds: enough to cover the latency of two pipes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains(long rounds)
    {
        Vector512<float> a = Vector512.Create(0.999f), b = Vector512.Create(0.001f);
        Vector512<float> c0 = b, c1 = b, c2 = b, c3 = b, c4 = b, c5 = b, c6 = b, c7 = b, c8 = b, c9 = b, c10 = b, c11 = b;
        for (; rounds > 0; rounds--)
        {
            c0 = Vector512.FusedMultiplyAdd(c0, a, b);
            c1 = Vector512.FusedMultiplyAdd(c1, a, b);
            c2 = Vector512.FusedMultiplyAdd(c2, a, b);
            c3 = Vector512.FusedMultiplyAdd(c3, a, b);
            c4 = Vector512.FusedMultiplyAdd(c4, a, b);
            c5 = Vector512.FusedMultiplyAdd(c5, a, b);
            c6 = Vector512.FusedMultiplyAdd(c6, a, b);
            c7 = Vector512.FusedMultiplyAdd(c7, a, b);
            c8 = Vector512.FusedMultiplyAdd(c8, a, b);
            c9 = Vector512.FusedMultiplyAdd(c9, a, b);
            c10 = Vector512.FusedMultiplyAdd(c10, a, b);
            c11 = Vector512.FusedMultiplyAdd(c11, a, b);
        }

        return Vector512.Sum(c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11);
    }
}
