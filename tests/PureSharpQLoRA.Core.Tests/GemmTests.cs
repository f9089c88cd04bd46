namespace PureSharpQLoRA.Core.Tests;

/// <summary>Products of the CPU against double arithmetic, for sizes that fit the tiles and sizes that do not.</summary>
public sealed class GemmTests
{
    private static readonly DataType[] WeightTypes = [DataType.Float32, DataType.BFloat16, DataType.Float16, DataType.Nf4];

    private static readonly (int Rows, int Reduction, int Columns)[] Shapes =
    [
        (1, 1, 1), (2, 7, 9), (1, 64, 48), (1, 172, 200), (1, 1128, 300), (1, 257, 33), (7, 8, 31), (8, 33, 47), (9, 48, 49), (31, 49, 64), (33, 64, 129), (8, 96, 96), (9, 172, 64),
        (5, 129, 172), (64, 172, 33), (13, 288, 96), (3, 64, 172), (17, 1100, 50), (2, 1099, 35), (16, 1312, 16), (129, 31, 8), (47, 2, 288),
    ];

    public static TheoryData<DataType, bool, bool> Cases()
    {
        var cases = new TheoryData<DataType, bool, bool>();
        foreach (DataType type in WeightTypes)
        {
            foreach (bool transposed in new[] { true, false })
            {
                cases.Add(type, transposed, false);
                cases.Add(type, transposed, true);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Products_agree_with_double_arithmetic(DataType type, bool transposed, bool bf16)
    {
        using var fixture = new GemmFixture(2, bf16);
        foreach ((int rows, int reduction, int columns) in Shapes)
        {
            Tensor x = fixture.Random(rows, reduction);
            Tensor weight = transposed ? fixture.Random(columns, reduction, type) : fixture.Random(reduction, columns, type);
            Tensor y = fixture.Random(rows, columns);
            fixture.Multiply(x, weight, transposed, y);
            double error = GemmFixture.RelativeError(GemmFixture.Floats(y), GemmFixture.ProductOf(x, weight, transposed));
            Assert.True(error < fixture.Tolerance, $"[{rows}, {reduction}] x [{reduction}, {columns}]: {error:E2}");
        }
    }

    /// <summary>With a scale of 1 both terms are one product; with another they are two, as they are where the rank is too large to ride along.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Scale_accumulation_and_the_low_rank_term_add_up(DataType type, bool transposed, bool bf16)
    {
        using var fixture = new GemmFixture(2, bf16);
        foreach ((int rows, int reduction, int columns, int rank) in new[]
            { (33, 96, 100, 8), (1, 64, 64, 16), (1, 288, 200, 8), (9, 1100, 33, 5), (64, 50, 144, 64), (17, 51, 96, 32), (5, 513, 48, 33) })
        {
            Tensor x = fixture.Random(rows, reduction);
            Tensor weight = transposed ? fixture.Random(columns, reduction, type) : fixture.Random(reduction, columns, type);
            foreach (float scale in new[] { 1, 0.75f, 1 })
            {
                // The packed x serves all three, each with another low-rank term behind it.
                Tensor low = fixture.Random(rows, rank);
                Tensor factor = transposed ? fixture.Random(columns, rank) : fixture.Random(rank, columns);
                Tensor y = fixture.Random(rows, columns);
                double[] before = GemmFixture.Values(y);
                fixture.Multiply(x, weight, transposed, y, scale, true, new LowRankTerm(low, factor));
                double[] exact = GemmFixture.ProductOf(x, weight, transposed);
                double[] second = GemmFixture.ProductOf(low, factor, transposed);
                for (int i = 0; i < exact.Length; i++)
                {
                    exact[i] = before[i] + scale * exact[i] + second[i];
                }

                double error = GemmFixture.RelativeError(GemmFixture.Floats(y), exact);
                Assert.True(error < fixture.Tolerance, $"[{rows}, {reduction}] x [{reduction}, {columns}], rank {rank}, scale {scale}: {error:E2}");
            }
        }
    }

    /// <summary>A reduction over a vocabulary packs its left operand block by block.</summary>
    [Theory]
    [InlineData(DataType.Float32, false)]
    [InlineData(DataType.BFloat16, false)]
    [InlineData(DataType.BFloat16, true)]
    public void A_reduction_over_a_vocabulary(DataType type, bool bf16)
    {
        foreach ((int rows, int reduction, int columns) in new[] { (1, 8192, 50), (9, 8193, 48), (70, 8301, 288), (150, 8192, 33), (8, 9000, 700) })
        {
            float[]? expected = null;
            foreach (int threads in new[] { 1, 2, 3 })
            {
                using var fixture = new GemmFixture(threads, bf16);
                Tensor x = fixture.Random(rows, reduction), weight = fixture.Random(reduction, columns, type);
                Tensor y = fixture.Random(rows, columns);
                fixture.Multiply(x, weight, false, y);
                double error = GemmFixture.RelativeError(GemmFixture.Floats(y), GemmFixture.ProductOf(x, weight, false));
                Assert.True(error < fixture.Tolerance, $"[{rows}, {reduction}] x [{reduction}, {columns}], {threads} threads: {error:E2}");
                float[] bits = [.. GemmFixture.Floats(y)];
                Assert.Equal(expected ?? bits, bits);
                expected = bits;
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_of_weights_agree_with_double_arithmetic(bool bf16)
    {
        using var fixture = new GemmFixture(2, bf16);
        foreach ((int tokens, int rows, int columns) in new[] { (1, 1, 1), (7, 16, 96), (33, 100, 8), (129, 49, 172), (64, 8, 288), (1100, 9, 47), (31, 288, 64), (65, 101, 13) })
        {
            Tensor a = fixture.Random(tokens, rows);
            Tensor b = fixture.Random(tokens, columns);
            Tensor y = fixture.Random(rows, columns);
            double[] exact = GemmFixture.Product(GemmFixture.Values(a), (1, rows), GemmFixture.Values(b), (columns, 1), rows, tokens, columns);
            fixture.MultiplyGradient(a, b, y, false);
            double error = GemmFixture.RelativeError(GemmFixture.Floats(y), exact);
            Assert.True(error < fixture.Tolerance, $"{tokens} tokens, [{rows}, {columns}]: {error:E2}");

            fixture.MultiplyGradient(a, b, y, true);
            double twice = GemmFixture.RelativeError(GemmFixture.Floats(y), exact.Select(value => 2 * value).ToArray());
            Assert.True(twice < fixture.Tolerance, $"{tokens} tokens, [{rows}, {columns}], accumulated: {twice:E2}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Results_are_the_same_bits_for_any_number_of_threads(bool bf16)
    {
        List<float[]>? expected = null;
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using var fixture = new GemmFixture(threads, bf16);
            var results = new List<float[]>();
            foreach ((int rows, int reduction, int columns) in new[] { (200, 64, 16), (200, 600, 240), (40, 96, 1000), (1, 128, 333) })
            {
                Tensor x = fixture.Random(rows, reduction);
                Tensor weight = fixture.Random(columns, reduction, DataType.Nf4);
                Tensor y = fixture.Random(rows, columns);
                fixture.Multiply(x, weight, true, y, 0.5f);
                results.Add(GemmFixture.Floats(y).ToArray());
                Tensor gradient = fixture.Random(columns, reduction);
                fixture.MultiplyGradient(y, x, gradient, false);
                results.Add(GemmFixture.Floats(gradient).ToArray());
            }

            expected ??= results;
            for (int i = 0; i < results.Count; i++)
            {
                Assert.Equal(expected[i], results[i]);
            }
        }
    }

    [Fact]
    public void A_packed_operand_is_never_stale()
    {
        using var fixture = new GemmFixture();
        Tensor x = fixture.Random(16, 64);
        Tensor weight = fixture.Random(48, 64, DataType.Nf4);
        Tensor y = fixture.Random(16, 48);
        Tensor gradient = fixture.Random(64, 48);
        for (int round = 0; round < 3; round++)
        {
            fixture.Multiply(x, weight, true, y);
            AssertCurrent(GemmFixture.ProductOf(x, weight, true), y);
            fixture.MultiplyGradient(x, y, gradient, false);
            AssertCurrent(GemmFixture.Product(GemmFixture.Values(x), (1, 64), GemmFixture.Values(y), (48, 1), 64, 16, 48), gradient);
            Tensor half = fixture.Rows(x, 8, 8);
            fixture.Fill(round == 1 ? half : x);
        }

        static void AssertCurrent(double[] exact, Tensor actual) => Assert.True(GemmFixture.RelativeError(GemmFixture.Floats(actual), exact) < 1e-6);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Repeated_products_allocate_nothing(bool bf16)
    {
        using var fixture = new GemmFixture(2, bf16);
        Tensor x = fixture.Random(64, 96);
        Tensor one = fixture.Random(1, 96);
        Tensor weight = fixture.Random(192, 96, DataType.Nf4);
        Tensor y = fixture.Random(64, 192);
        Tensor oneY = fixture.Random(1, 192);
        Tensor low = fixture.Random(64, 8);
        Tensor factor = fixture.Random(192, 8);
        Tensor gradient = fixture.Random(192, 96);
        long before = 0;
        for (int i = 0; i < 20; i++)
        {
            if (i == 10)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            x.MarkWritten();
            fixture.Multiply(x, weight, true, y, 1, false, new LowRankTerm(low, factor));
            fixture.Multiply(one, weight, true, oneY);
            fixture.MultiplyGradient(y, x, gradient, true);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
