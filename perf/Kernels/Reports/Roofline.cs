using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Assembly;
using PureSharpQLoRA.Kernels.Dry;

namespace PureSharpQLoRA.Kernels.Reports;

/// <summary>Seconds under three assumptions on how much of a product's other work hides behind the tensor cores.</summary>
internal readonly record struct Estimate(double Overlapping, double IntegerAfter, double Serial)
{
    public static Estimate operator +(Estimate a, Estimate b) => new(a.Overlapping + b.Overlapping, a.IntegerAfter + b.IntegerAfter, a.Serial + b.Serial);

    public static Estimate operator *(double factor, Estimate a) => new(factor * a.Overlapping, factor * a.IntegerAfter, factor * a.Serial);
}

/// <summary>
/// How long operations take on a card: the longer of the time of its tensor cores and of its memory, never less than a launch. See
/// <see cref="KernelsReport"/> for the assumptions in words.
/// </summary>
internal sealed class Roofline(Chip chip, IReadOnlyDictionary<CompiledKernel, AssembledKernel> assembled)
{
    /// <summary>The share of the card's memory bandwidth that a stream of reads and writes gets.</summary>
    public const double BandwidthShare = 0.8;

    /// <summary>Bytes of a product or of attention over the fewest: tiles read again what fell out of the cache.</summary>
    public const double TileTraffic = 1.3;

    /// <summary>The least that a launch takes, queued behind others.</summary>
    public const double LaunchSeconds = 3e-6;

    /// <summary>The share of the fp32 rate that a product without tensor cores gets.</summary>
    private const double GeneralShare = 0.1;

    /// <summary>Products of attention's backward pass that each of its kernels computes, in units of the five that count.</summary>
    private static readonly Dictionary<string, double> BackwardProducts = new(StringComparer.Ordinal) { ["BackwardQuery"] = 3 / 5.0, ["BackwardKeyValue"] = 4 / 5.0 };

    /// <summary>The time of one operation.</summary>
    public Estimate Of(Operation operation)
    {
        double memory = operation.Bytes * (operation.Flops > 0 ? TileTraffic : 1) / (chip.Bandwidth * BandwidthShare), least = operation.Launches.Count * LaunchSeconds;
        double overlapping = 0, integerAfter = 0, serial = 0;
        foreach ((Launch launch, double flops) in Products(operation))
        {
            AssembledKernel kernel = assembled[launch.Kernel];
            double balance = Math.Ceiling((double)launch.Blocks / chip.Multiprocessors) * chip.Multiprocessors / launch.Blocks;
            double seconds = flops * balance / (chip.PeakTflops * 1e12);
            if (IssueModel.Of(kernel, chip) is { } model)
            {
                // Where mma.sync has less than the peak, the cycles of its instruction say so, and the stated peak must not count twice.
                double pace = chip.MatrixCycles / PeakCycles(chip);
                overlapping += seconds * pace / model.Overlapping;
                integerAfter += seconds * pace / model.IntegerAfter;
                serial += seconds * pace / model.Serial;
            }
            else
            {
                double general = flops / (chip.Multiprocessors * chip.ClockHz * 2 * 128 / chip.FloatCycles * GeneralShare);
                (overlapping, integerAfter, serial) = (overlapping + general, integerAfter + general, serial + general);
            }
        }

        return new Estimate(Longest(overlapping), Longest(integerAfter), Longest(serial));

        double Longest(double tensor) => Math.Max(Math.Max(tensor, memory), least);
    }

    /// <summary>Cycles of a tensor-core instruction at the card's stated peak.</summary>
    private static double PeakCycles(Chip chip)
    {
        double multiplyAdds = chip.PtxTarget >= 80 ? 16 * 8 * 16 : 16 * 8 * 8, perSchedulerAndCycle = chip.PeakTflops * 1e12 / 2 / chip.Multiprocessors / chip.ClockHz / 4;
        return multiplyAdds / perSchedulerAndCycle;
    }

    /// <summary>The launches that compute an operation's products, with what each computes of them.</summary>
    private IEnumerable<(Launch Launch, double Flops)> Products(Operation operation)
    {
        if (operation.Flops == 0)
        {
            yield break;
        }

        List<Launch> named = [.. operation.Launches.Where(launch => BackwardProducts.ContainsKey(launch.Kernel.Key.Method))];
        if (named.Count > 0)
        {
            foreach (Launch launch in named)
            {
                yield return (launch, operation.Flops * BackwardProducts[launch.Kernel.Key.Method]);
            }

            yield break;
        }

        // One launch computes the product; those around it convert operands, or add up parts.
        Launch main = operation.Launches.MaxBy(launch => assembled[launch.Kernel].Code.Count("HMMA"));
        yield return (main, operation.Flops);
    }
}
