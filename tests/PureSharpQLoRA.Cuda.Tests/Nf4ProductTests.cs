using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The tensor-core products on NF4 weights, for the cards and sizes that reach each of them, into poisoned memory.</summary>
public sealed class Nf4ProductTests
{
    private const DataType Half = DataType.Float16, Brain = DataType.BFloat16, Single = DataType.Float32;

    /// <summary>
    /// Against fp32 weights, 16-bit level times 16-bit scale costs 3.0e-4 in fp16; a weight rounded to bf16 once, 1.7e-3; the result's own rounding
    /// 2.1e-4 and 1.7e-3. Against the weights that the kernel means to use, fp32 results are off by the order of summation alone.
    /// </summary>
    [Theory]
    [InlineData(75, Half, Single, true, 130, 520, 192, 8, "Tile64", "Staged")]
    [InlineData(75, Half, Half, true, 70, 264, 320, 16, "Tile64", "Staged")]
    [InlineData(75, Half, Half, true, 31, 40, 128, 32, "Tile32", "Staged")]
    [InlineData(75, Half, Half, true, 33, 33, 64, 16, "Tile32", "Staged")]
    [InlineData(75, Half, Single, true, 9, 1, 64, 8, "Tile32", "Staged")]
    [InlineData(80, Half, Half, true, 130, 520, 192, 64, "Tile64", "Copied")]
    [InlineData(80, Half, Single, true, 66, 127, 192, 12, "Tile32", "Copied")]
    [InlineData(80, Brain, Brain, true, 130, 520, 192, 8, "Tile64", "Copied")]
    [InlineData(80, Brain, Single, true, 33, 65, 128, 5, "Tile32", "Copied")]
    [InlineData(90, Half, Half, true, 130, 520, 192, 16, "Tile128", "Copied")]
    [InlineData(90, Brain, Single, true, 200, 512, 64, 0, "Tile128", "Copied")]
    [InlineData(75, Half, Half, true, 1, 520, 4160, 16, "Nf4Gemv", "Run")]
    [InlineData(75, Half, Single, true, 8, 33, 192, 8, "Nf4Gemv", "Run")]
    [InlineData(80, Half, Single, true, 5, 127, 1088, 64, "Nf4Gemv", "Run")]
    [InlineData(80, Brain, Brain, true, 3, 65, 64, 6, "Nf4Gemv", "Run")]
    [InlineData(80, Brain, Single, true, 8, 136, 576, 0, "Nf4Gemv", "Run")]
    [InlineData(75, Half, Single, false, 130, 72, 576, 8, "Tile64", "Staged")]
    [InlineData(75, Half, Half, false, 70, 136, 1024, 16, "Tile64", "Staged")]
    [InlineData(75, Half, Half, false, 31, 33, 64, 32, "Tile32", "Staged")]
    [InlineData(75, Half, Single, false, 1, 1, 64, 8, "Tile32", "Staged")]
    [InlineData(80, Half, Half, false, 130, 520, 576, 64, "Tile64", "Copied")]
    [InlineData(80, Half, Single, false, 66, 127, 192, 12, "Tile32", "Staged")]
    [InlineData(80, Brain, Brain, false, 130, 72, 576, 8, "Tile64", "Copied")]
    [InlineData(80, Brain, Single, false, 33, 65, 128, 5, "Tile32", "Staged")]
    [InlineData(90, Half, Half, false, 130, 136, 576, 16, "Tile128", "Copied")]
    [InlineData(90, Half, Single, false, 130, 63, 576, 16, "Tile128", "Staged")]
    [InlineData(90, Brain, Single, false, 200, 64, 512, 0, "Tile128", "Copied")]
    public void Products_are_right(int card, DataType activations, DataType result, bool forward, int tokens, int outputs, int inputs, int rank, string tile, string method)
    {
        Nf4Outcome outcome = new Nf4Run(card, activations, result, forward, tokens, outputs, inputs) { Rank = rank }.Execute();

        Assert.Contains(tile, outcome.Kernel, StringComparison.Ordinal);
        Assert.Contains(method, outcome.Kernel, StringComparison.Ordinal);
        double rounding = result == Single ? 2e-6 : result == Half ? 3e-4 : 2.4e-3, weights = activations == Half ? 6e-4 : 3.4e-3;
        Assert.True(outcome.RoundedError <= rounding, $"{outcome.RoundedError:E2} against the weights as they are rounded");
        Assert.True(outcome.ExactError <= weights, $"{outcome.ExactError:E2} against the weights");
        Assert.Equal(0, outcome.Report.BankConflicts);
    }

    /// <summary>Gradients of one input come from several layers; the factor is a power of two nowhere.</summary>
    [Theory]
    [InlineData(75, Half, Half, false, 33, 40, 128)]
    [InlineData(75, Half, Single, true, 33, 33, 64)]
    [InlineData(75, Half, Half, true, 4, 33, 128)]
    [InlineData(80, Brain, Brain, false, 33, 40, 128)]
    public void Products_are_scaled_and_added_to_what_is_there(int card, DataType activations, DataType result, bool forward, int tokens, int outputs, int inputs)
    {
        Nf4Outcome outcome = new Nf4Run(card, activations, result, forward, tokens, outputs, inputs) { Rank = 8, Scale = 1.7f, Accumulate = true }.Execute();

        Assert.True(outcome.RoundedError <= (result == Single ? 2e-6 : result == Half ? 3e-4 : 2.4e-3), $"{outcome.RoundedError:E2}");
    }

    /// <summary>The exponent of the scales follows the weight, so that tiny and huge blocks are as precise as others.</summary>
    [Theory]
    [InlineData(1e-12f)]
    [InlineData(1e8f)]
    public void Weights_of_any_size_keep_their_precision(float amplitude)
    {
        Nf4Outcome outcome = new Nf4Run(75, Half, Single, true, 9, 40, 128) { Amplitude = amplitude }.Execute();

        Assert.True(outcome.ExactError <= 6e-4, $"{outcome.ExactError:E2}");
    }

    /// <summary>
    /// A block reads its rows of activations and of the weight once: nothing twice but what tiles share. The tensor cores do no more than the tile:
    /// 64 columns by 64 rows by 64 of the reduction are 128 products of m16n8k16, or twice as many of m16n8k8.
    /// </summary>
    [Theory]
    [InlineData(75, Half, true)]
    [InlineData(75, Half, false)]
    [InlineData(80, Half, true)]
    [InlineData(80, Half, false)]
    [InlineData(80, Brain, true)]
    [InlineData(80, Brain, false)]
    public void Tiles_read_their_operands_once(int card, DataType type, bool forward)
    {
        const int Tokens = 128, Width = 512, Rank = 16, Tiles = 2;
        Nf4Outcome outcome = new Nf4Run(card, type, type, forward, Tokens, Width, Width) { Rank = Rank }.Execute();

        const long Activations = 2 * Tokens * (Width + Rank), Weight = (Width * Width / 2) + (2 * Width * Width / 64) + (2 * Width * Rank);
        double ratio = outcome.Report.GlobalReadSectors * 32.0 / (Tiles * (Activations + Weight));
        Assert.True(ratio <= 1.15, $"{outcome.Report.GlobalReadSectors * 32} bytes in sectors, {ratio:F3} times what the tiles need");
        Assert.Equal(2 * Tokens * Width, outcome.Report.GlobalWriteSectors * 32);
        Assert.True(outcome.Report.CoalescingEfficiency >= 0.9, $"{outcome.Report.CoalescingEfficiency:P1} of the sectors used");
        Assert.Equal(0, outcome.Report.BankConflicts);
        const int Warps = 4 * Tiles * Tiles, Steps = Width / 64;
        Assert.Equal(Warps * ((Steps * 128) + (Rank / 16 * 32)) * (card == 75 ? 2 : 1), outcome.Report.MmaInstructions);
    }

    /// <summary>One token: the codes are read once, and little else, even without caches.</summary>
    [Theory]
    [InlineData(75, Half)]
    [InlineData(80, Brain)]
    public void One_token_reads_the_codes_once(int card, DataType type)
    {
        Nf4Outcome outcome = new Nf4Run(card, type, type, true, 1, 256, 2048).Execute();

        double ratio = outcome.Report.GlobalReadSectors * 32.0 / outcome.FewestReadBytes;
        Assert.True(ratio <= 1.3, $"{outcome.Report.GlobalReadSectors * 32} bytes in sectors, {ratio:F3} times the fewest");
        Assert.Equal(0, outcome.Report.BankConflicts);
    }
}
