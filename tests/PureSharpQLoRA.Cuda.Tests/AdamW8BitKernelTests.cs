using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Kernels.Optimizer;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The 8-bit optimizer against ten recorded steps of bitsandbytes' AdamW8bit (0.50.1; rate 1e-3, decay 0.01, betas 0.9 and 0.999), four of their blocks.</summary>
public sealed class AdamW8BitKernelTests
{
    private const int Blocks = 4, Count = Blocks * AdamW8BitKernels.BlockSize, Steps = 10;

    private static readonly RecordedTensors Recorded = RecordedTensors.Read("adamw8bit.safetensors");
    private static readonly float[] SignedMap = Recorded.Get<float>("qmap1");
    private static readonly float[] UnsignedMap = Recorded.Get<float>("qmap2");

    /// <summary>
    /// Each step starts from the recorded state of the one before. Codes may differ where bitsandbytes itself rounds to the farther of two values: ours
    /// must never be the farther one.
    /// </summary>
    [Theory]
    [InlineData(75, 0)]
    [InlineData(80, 0)]
    [InlineData(75, 3)]
    public void A_step_from_each_recorded_state(int architecture, int dropped)
    {
        int count = Count - dropped;
        for (int step = 0; step < Steps; step++)
        {
            using var log = new LaunchLog(architecture);
            State before = State.Recorded(log, step - 1, count), after = State.Recorded(log, step, count);
            float[] gradient = Recorded.Get<float>($"grad.{step}")[..count];
            before.Update(log, gradient, new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, step + 1));
            if (dropped == 0)
            {
                log.AssertTraffic("Quads", (16L * Count) + (16 * Blocks) + 2048);
            }
            else
            {
                Assert.Equal("Elements", log.Launches[^1].Key.Method);
            }

            AssertNear(after.Parameters(log), before.Parameters(log), 1e-6);
            int whole = count / AdamW8BitKernels.BlockSize;
            AssertRelative(log.Backend.ToArray(after.FirstMaxima)[..whole], log.Backend.ToArray(before.FirstMaxima)[..whole], 1.2e-7);
            AssertRelative(log.Backend.ToArray(after.SecondMaxima)[..whole], log.Backend.ToArray(before.SecondMaxima)[..whole], 1.2e-7);
            CheckCodes(1, step, i => 0.1 * gradient[i], 0.9, SignedMap, before.FirstCodes(log), whole * AdamW8BitKernels.BlockSize);
            CheckCodes(2, step, i => 0.001 * gradient[i] * gradient[i], 0.999, UnsignedMap, before.SecondCodes(log), whole * AdamW8BitKernels.BlockSize);
        }
    }

    [Fact]
    public void Both_paths_give_the_same_bits()
    {
        foreach (int step in new[] { 1, 7 })
        {
            using var log = new LaunchLog(75);
            State fast = State.Recorded(log, step - 1, Count), general = State.Recorded(log, step - 1, Count - 256 + 100);
            float[] gradient = Recorded.Get<float>($"grad.{step}");
            var settings = new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, step + 1);
            fast.Update(log, gradient, settings);
            general.Update(log, gradient[..(Count - 256 + 100)], settings);
            int shared = Count - 256;
            Assert.Equal(fast.Parameters(log)[..shared], general.Parameters(log)[..shared]);
            Assert.Equal(fast.FirstCodes(log)[..shared], general.FirstCodes(log)[..shared]);
            Assert.Equal(fast.SecondCodes(log)[..shared], general.SecondCodes(log)[..shared]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(2048)]
    public void Gradients_that_are_not_finite_change_nothing_and_zeros_stay_zeros(int count)
    {
        using var log = new LaunchLog(75);
        float[] p = [.. Enumerable.Range(0, count).Select(i => i - 3.5f)];
        State state = State.Zero(log, p);
        state.Update(log, new float[count], new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0, 1));
        Assert.Equal(p, state.Parameters(log));
        Assert.All(state.FirstCodes(log), code => Assert.Equal(0, SignedMap[code]));
        Assert.All(state.SecondCodes(log), code => Assert.Equal(0, UnsignedMap[code]));

        byte[] codes = state.FirstCodes(log);
        float[] bad = [.. p];
        bad[0] = float.NaN;
        state.Update(log, bad, new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.1, 2), finite: false);
        Assert.Equal(p, state.Parameters(log));
        Assert.Equal(codes, state.FirstCodes(log));
    }

    /// <summary>Where our code is not the recorded one, its value must be as near to the exact moment, worked out in double.</summary>
    private static void CheckCodes(int moment, int step, Func<int, double> addition, double decay, float[] map, byte[] codes, int count)
    {
        byte[] recorded = Recorded.Get<byte>($"state{moment}.{step}");
        byte[]? old = step == 0 ? null : Recorded.Get<byte>($"state{moment}.{step - 1}");
        float[]? maxima = step == 0 ? null : Recorded.Get<float>($"absmax{moment}.{step - 1}");
        double[] exact = [.. Enumerable.Range(0, count).Select(i => addition(i) + (old is null ? 0 : decay * map[old[i]] * maxima![i / 256]))];
        double[] largest = [.. exact.Chunk(256).Select(block => block.Max(Math.Abs))];
        int differ = 0;
        for (int i = 0; i < count; i++)
        {
            if (codes[i] != recorded[i])
            {
                double value = exact[i] / largest[i / 256];
                double excess = Math.Abs(map[codes[i]] - value) - Math.Abs(map[recorded[i]] - value);
                Assert.True(excess <= 1e-7, $"step {step}, moment {moment}, element {i}: code {codes[i]} is farther than bitsandbytes' {recorded[i]} by {excess:E1}");
                differ++;
            }
        }

        Assert.True(differ <= count / 50, $"{differ} of {count} codes differ");
    }

    private static void AssertNear(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance);
        }
    }

    private static void AssertRelative(float[] expected, float[] actual, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance * Math.Abs(expected[i]));
        }
    }

    /// <summary>A parameter and its two moments on the device.</summary>
    private sealed record State(Tensor Parameter, Tensor First, Tensor FirstMaxima, Tensor Second, Tensor SecondMaxima)
    {
        public static State Recorded(LaunchLog log, int step, int count)
        {
            if (step < 0)
            {
                return Zero(log, AdamW8BitKernelTests.Recorded.Get<float>("p0")[..count]);
            }

            RecordedTensors all = AdamW8BitKernelTests.Recorded;
            Tensor parameter = log.Upload(new Shape(count), all.Get<float>($"p.{step}").AsSpan(0, count));
            return new State(parameter, Codes(log, all.Get<byte>($"state1.{step}"), count), Maxima(log, all.Get<float>($"absmax1.{step}"), count),
                Codes(log, all.Get<byte>($"state2.{step}"), count), Maxima(log, all.Get<float>($"absmax2.{step}"), count));
        }

        public static State Zero(LaunchLog log, float[] parameter)
        {
            int count = parameter.Length, blocks = (count + 255) / 256;
            byte[] Zeros(float[] map) => [.. Enumerable.Repeat((byte)Array.IndexOf(map, 0f), count)];
            return new State(log.Upload(new Shape(count), parameter), Codes(log, Zeros(SignedMap), count), log.Upload(new Shape(blocks), new float[blocks]),
                Codes(log, Zeros(UnsignedMap), count), log.Upload(new Shape(blocks), new float[blocks]));
        }

        public void Update(LaunchLog log, float[] gradient, AdamWStep step, bool finite = true) => log.Backend.AdamW8Bit(
            Parameter, log.Upload(new Shape(gradient.Length), gradient), First, FirstMaxima, Second, SecondMaxima, step,
            log.Upload(StepControl.Shape, [1, 1, finite ? 1 : 0, finite ? -1 : 0]));

        public float[] Parameters(LaunchLog log) => log.Backend.ToArray(Parameter);

        public byte[] FirstCodes(LaunchLog log) => Bytes(log, First);

        public byte[] SecondCodes(LaunchLog log) => Bytes(log, Second);

        private static Tensor Codes(LaunchLog log, byte[] codes, int count)
        {
            Tensor tensor = log.Scope.Allocate(new Shape(count), DataType.UInt8);
            log.Backend.Upload(codes.AsSpan(0, count), tensor);
            return tensor;
        }

        private static Tensor Maxima(LaunchLog log, float[] maxima, int count) => log.Upload(new Shape((count + 255) / 256), maxima.AsSpan(0, (count + 255) / 256));

        private static byte[] Bytes(LaunchLog log, Tensor codes)
        {
            var bytes = new byte[codes.Bytes];
            log.Backend.Download(codes, bytes);
            return bytes;
        }
    }
}
