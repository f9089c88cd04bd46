using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;

namespace PureSharpQLoRA.Transformers.Tests;

public sealed class RotaryTests
{
    [Theory]
    [InlineData(64, 10000)]
    [InlineData(128, 500000)]
    public void Default_and_linear_frequencies_follow_their_formula(int headSize, float theta)
    {
        double[] plain = PlainRotary.Default(theta, headSize);
        AssertClose(plain, RotaryScaling.Default(theta).Frequencies(headSize, 100));
        AssertClose([.. plain.Select(frequency => frequency / 4)], RotaryScaling.Linear(theta, 4).Frequencies(headSize, 100));
    }

    [Fact]
    public void Llama_3_1_keeps_fast_pairs_divides_slow_ones_by_8_and_blends_between()
    {
        // theta 500000, factor 8, low 1, high 4, original 8192, heads of 128: as in the published config.
        float[] frequencies = RotaryScaling.Llama3(500000, 8, 1, 4, 8192).Frequencies(128, 100);
        double[] plain = PlainRotary.Default(500000, 128);
        AssertClose(PlainRotary.Llama3(plain, 8, 1, 4, 8192), frequencies);

        // Worked out by hand: the pair's wavelength is 2 pi 500000^(pair/64). 28 gives 1956.5 < 2048, 29 gives 2401.74, 35 gives 8218.7 > 8192.
        Assert.Equal(plain[28], frequencies[28], 1e-6 * plain[28]);
        double smooth = ((8192 / 2401.7381) - 1) / 3;
        Assert.Equal(((1 - smooth) * plain[29] / 8) + (smooth * plain[29]), frequencies[29], 1e-5 * plain[29]);
        Assert.Equal(plain[35] / 8, frequencies[35], 1e-6 * plain[35]);
        Assert.Equal(plain[63] / 8, frequencies[63], 1e-6 * plain[63]);
    }

    [Fact]
    public void Llama_3_2_differs_from_3_1_by_its_factor_of_32()
    {
        double[] plain = PlainRotary.Default(500000, 64);
        float[] frequencies = RotaryScaling.Llama3(500000, 32, 1, 4, 8192).Frequencies(64, 100);
        AssertClose(PlainRotary.Llama3(plain, 32, 1, 4, 8192), frequencies);
        Assert.Equal(plain[31] / 32, frequencies[31], 1e-6 * plain[31]);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(2048)]
    [InlineData(2049)]
    [InlineData(6000)]
    public void Dynamic_scaling_begins_past_the_original_length(int length)
    {
        float[] frequencies = RotaryScaling.Dynamic(10000, 2, 2048).Frequencies(64, length);
        AssertClose(PlainRotary.Dynamic(10000, 64, 2, 2048, length), frequencies);
        bool plain = frequencies.SequenceEqual(RotaryScaling.Default(10000).Frequencies(64, length));
        Assert.Equal(length <= 2048, plain);
    }

    [Theory]
    [InlineData(128, 1e6f, 4, 32768)]
    [InlineData(64, 10000, 16, 4096)]
    public void Yarn_keeps_fast_pairs_and_divides_slow_ones(int headSize, float theta, float factor, int original)
    {
        RotaryScaling scaling = RotaryScaling.Yarn(theta, factor, original, 32, 1, 1.1386294f);
        float[] frequencies = scaling.Frequencies(headSize, 100);
        double[] plain = PlainRotary.Default(theta, headSize);
        AssertClose(PlainRotary.Yarn(theta, headSize, factor, original), frequencies);
        Assert.Equal(plain[0], frequencies[0], 1e-6);
        Assert.Equal(plain[^1] / factor, frequencies[^1], 1e-6 * plain[^1]);
        Assert.Equal(1.1386294f, scaling.AttentionFactor);
    }

    [Fact]
    public void Tables_grow_with_the_longest_document()
    {
        using var backend = new CpuBackend();
        using var rotary = new RotaryEmbedding(backend, headSize: 8, maxPositions: 1500, RotaryScaling.Default(10000));
        foreach (int length in (ReadOnlySpan<int>)[3, 512, 513, 700, 1500, 4])
        {
            AssertTurned(backend, rotary, length, 10000);
        }
    }

    [Fact]
    public void Positions_past_the_models_are_refused()
    {
        using var backend = new CpuBackend();
        using var rotary = new RotaryEmbedding(backend, headSize: 8, maxPositions: 20, RotaryScaling.Linear(10000, 4));
        using var tape = new Tape(backend);
        Tensor x = tape.NewTensor(new Shape(21, 8));
        ShapeException error = Assert.Throws<ShapeException>(() => rotary.Forward(tape, x, SequenceLayout.Uniform(1, 21)));
        Assert.Contains("at most 20 tokens (max_position_embeddings)", error.Message, StringComparison.Ordinal);
        Assert.Contains("21 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scalings_that_stretch_the_context_allow_what_they_stretch_it_to()
    {
        using var backend = new CpuBackend();
        using var tape = new Tape(backend);
        using var dynamic = new RotaryEmbedding(backend, headSize: 8, maxPositions: 16, RotaryScaling.Dynamic(10000, 2, 16));
        AssertTurned(backend, dynamic, 32, 10000 * Math.Pow((2.0 * 32 / 16) - 1, 8 / 6.0));
        Assert.Throws<ShapeException>(() => dynamic.Forward(tape, tape.NewTensor(new Shape(33, 8)), SequenceLayout.Uniform(1, 33)));

        // As Qwen2.5's model cards write it: max_position_embeddings stays at what was trained.
        using var yarn = new RotaryEmbedding(backend, headSize: 8, maxPositions: 16, RotaryScaling.Yarn(10000, 4, 16, 32, 1, 1));
        yarn.Forward(tape, tape.NewTensor(new Shape(64, 8)), SequenceLayout.Uniform(1, 64));
        Assert.Throws<ShapeException>(() => yarn.Forward(tape, tape.NewTensor(new Shape(65, 8)), SequenceLayout.Uniform(1, 65)));
    }

    [Fact]
    public void Dynamic_frequencies_follow_the_length_up_and_down()
    {
        using var backend = new CpuBackend();
        using var rotary = new RotaryEmbedding(backend, headSize: 8, maxPositions: 64, RotaryScaling.Dynamic(10000, 2, 16));
        foreach (int length in (ReadOnlySpan<int>)[8, 40, 24, 16, 17])
        {
            double stretch = length <= 16 ? 1 : (2.0 * length / 16) - 1;
            AssertTurned(backend, rotary, length, 10000 * Math.Pow(stretch, 8 / 6.0));
        }
    }

    /// <summary>Turns a row of ones per position, which must come out as cos - sin and cos + sin of its angles.</summary>
    private static void AssertTurned(CpuBackend backend, RotaryEmbedding rotary, int length, double theta)
    {
        using var tape = new Tape(backend);
        Tensor x = tape.NewTensor(new Shape(length, 8));
        backend.Fill(x, 1);
        float[] turned = backend.ToArray(rotary.Forward(tape, x, SequenceLayout.Uniform(1, length)));
        double[] frequencies = PlainRotary.Default(theta, 8);
        for (int position = 0; position < length; position++)
        {
            for (int pair = 0; pair < 4; pair++)
            {
                (double sine, double cosine) = Math.SinCos(position * frequencies[pair]);
                Assert.Equal(cosine - sine, turned[(position * 8) + pair], 2e-4);
                Assert.Equal(cosine + sine, turned[(position * 8) + 4 + pair], 2e-4);
            }
        }
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(actual[i] - expected[i]) <= 2e-6 * expected[i], FormattableString.Invariant($"pair {i}: {actual[i]} for {expected[i]}"));
        }
    }
}
