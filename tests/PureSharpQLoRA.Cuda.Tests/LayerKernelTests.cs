using PureSharpQLoRA.Core;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.Conformance;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The wide accesses of the layers: what they compute, and how many bytes they move for it.</summary>
public sealed class LayerKernelTests
{
    private const float Epsilon = 1e-5f;

    /// <summary>Targets and types; bf16 activations need Ampere.</summary>
    public static TheoryData<int, DataType> Targets => new()
    {
        { 75, DataType.Float32 }, { 75, DataType.Float16 }, { 80, DataType.Float32 }, { 80, DataType.Float16 }, { 80, DataType.BFloat16 },
    };

    /// <summary>Targets, types and row lengths: part of a warp a row, full and not; a block a row with one to four packs a thread.</summary>
    public static TheoryData<int, DataType, int, int> NormCases => new()
    {
        { 75, DataType.Float16, 64, 8192 }, { 75, DataType.Float32, 128, 1024 }, { 80, DataType.BFloat16, 80, 4096 }, { 80, DataType.Float16, 128, 4096 },
        { 75, DataType.Float16, 896, 256 }, { 75, DataType.Float32, 896, 256 }, { 80, DataType.BFloat16, 1024, 256 }, { 80, DataType.Float16, 2304, 256 },
    };

    [Theory]
    [MemberData(nameof(NormCases))]
    public void Norms_read_each_row_once(int architecture, DataType type, int size, int rows)
    {
        using var log = new LaunchLog(architecture, type);
        ConformanceBounds bounds = ConformanceBounds.For(type);
        var shape = new Shape(rows, size);
        (Tensor x, double[] xs) = log.Random(shape, type, 1);
        (Tensor dy, double[] dys) = log.Random(shape, type, 2);
        (Tensor weight, double[] weights) = log.Random(new Shape(size), DataType.Float32, 3);
        (Tensor before, double[] befores) = log.Random(shape, type, 4);
        Tensor y = log.Scope.Allocate(shape, type), dWeight = log.Scope.Allocate(new Shape(size));
        long bytes = type.BytesFor(shape.Count), singles = 4L * size;

        log.Backend.RmsNorm(x, weight, y, Epsilon);
        log.AssertTraffic("Forward", 2 * bytes + singles);
        Accuracy.AssertClose(ReferenceRmsNorm.Forward(xs, weights, Epsilon), log.Values(y), bounds.RmsNorm, $"y");

        (double[] forX, double[] forWeight) = ReferenceRmsNorm.Backward(xs, weights, dys, Epsilon);
        log.Backend.RmsNormBackward(x, weight, dy, Epsilon, y, false, null, false);
        log.AssertTraffic("Backward", 3 * bytes + singles);
        Accuracy.AssertClose(forX, log.Values(y), bounds.RmsNorm, $"dx");

        log.Backend.RmsNormBackward(x, weight, dy, Epsilon, before, true, dWeight, false);
        log.Launches.RemoveAt(log.Launches.Count - 1);
        log.AssertTraffic("Backward", 4 * bytes + 2 * singles, 1.25);
        Accuracy.AssertClose(ReferenceElementwise.Add(befores, forX), log.Values(before), bounds.RmsNorm, $"dx added");
        Accuracy.AssertClose(forWeight, log.Values(dWeight), 1e-6, $"dWeight");
    }

    /// <summary>The longest rows that are held, and the first that are not.</summary>
    [Theory]
    [InlineData(75, DataType.Float32, 8192, "HeldRmsNormKernels")]
    [InlineData(75, DataType.Float32, 8196, "RmsNormKernels")]
    [InlineData(75, DataType.Float16, 5120, "HeldRmsNormKernels")]
    [InlineData(80, DataType.BFloat16, 12288, "HeldRmsNormKernels")]
    [InlineData(80, DataType.BFloat16, 4100, "RmsNormKernels")]
    public void Norms_of_long_rows(int architecture, DataType type, int size, string kernels)
    {
        using var log = new LaunchLog(architecture, type);
        var shape = new Shape(3, size);
        (Tensor x, double[] xs) = log.Random(shape, type, 1);
        (Tensor dy, double[] dys) = log.Random(shape, type, 2);
        (Tensor weight, double[] weights) = log.Random(new Shape(size), DataType.Float32, 3);
        Tensor y = log.Scope.Allocate(shape, type), dWeight = log.Scope.Allocate(new Shape(size));
        log.Backend.RmsNorm(x, weight, y, Epsilon);
        Assert.Equal(kernels, log.Launches[^1].Key.Class.Name);
        Accuracy.AssertClose(ReferenceRmsNorm.Forward(xs, weights, Epsilon), log.Values(y), ConformanceBounds.For(type).RmsNorm, $"y");
        (double[] forX, double[] forWeight) = ReferenceRmsNorm.Backward(xs, weights, dys, Epsilon);
        log.Backend.RmsNormBackward(x, weight, dy, Epsilon, y, false, dWeight, false);
        Accuracy.AssertClose(forX, log.Values(y), ConformanceBounds.For(type).RmsNorm, $"dx");
        Accuracy.AssertClose(forWeight, log.Values(dWeight), 1e-6, $"dWeight");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Element_wise_operations_touch_each_operand_once(int architecture, DataType type)
    {
        using var log = new LaunchLog(architecture, type);
        double bound = ConformanceBounds.For(type).Elementwise;
        var shape = new Shape(24, 512);
        (Tensor a, double[] av) = log.Random(shape, type, 1, 3);
        (Tensor b, double[] bv) = log.Random(shape, type, 2);
        (Tensor c, double[] cv) = log.Random(shape, type, 3);
        Tensor y = log.Scope.Allocate(shape, type), z = log.Scope.Allocate(shape, type);
        long bytes = type.BytesFor(shape.Count);

        log.Backend.Add(a, b, y);
        log.AssertTraffic("Add", 3 * bytes, 1, 1);
        Accuracy.AssertClose(ReferenceElementwise.Add(av, bv), log.Values(y), bound, $"sum");

        log.Backend.SwiGlu(a, b, y);
        log.AssertTraffic("Forward", 3 * bytes, 1, 1);
        Accuracy.AssertClose(ReferenceSwiGlu.Forward(av, bv), log.Values(y), bound + 1e-6, $"SwiGLU");

        (double[] forGate, double[] forUp) = ReferenceSwiGlu.Backward(av, bv, cv);
        log.Backend.SwiGluBackward(a, b, c, z, c);
        log.AssertTraffic("Backward", 5 * bytes, 1, 1);
        Accuracy.AssertClose(forGate, log.Values(z), bound + 1e-6, $"dGate");
        Accuracy.AssertClose(forUp, log.Values(c), bound + 1e-6, $"dUp");

        log.Backend.Dropout(a, y, 0.4f, 99, accumulate: false);
        log.AssertTraffic("Dropout", 2 * bytes, 1, 1);
        double[] dropped = ReferenceDropout.Dropout(av, 0.4f, 99), actual = log.Values(y);
        Accuracy.AssertClose(dropped, actual, bound, $"dropout");
        Assert.Equal(dropped.Select(value => value == 0), actual.Select(value => value == 0));

        log.Backend.Dropout(a, b, 0.4f, 99, accumulate: true);
        log.AssertTraffic("Dropout", 3 * bytes, 1, 1);
        double[] added = ReferenceElementwise.Add(bv, dropped);
        Accuracy.AssertClose(added, log.Values(b), bound, $"dropout added");

        double[] beforeNoise = log.Values(b);
        log.Backend.AddUniformNoise(b, 0.2f, 7);
        log.AssertTraffic("AddUniformNoise", 2 * bytes, 1, 1);
        Accuracy.AssertClose(ReferenceDropout.AddUniformNoise(beforeNoise, 0.2f, 7), log.Values(b), bound, $"noise");

        double[] beforeScaled = log.Values(b);
        log.Backend.AddScaled(a, -0.3f, b);
        log.AssertTraffic("AddScaled", 3 * bytes, 1, 1);
        Accuracy.AssertClose(ReferenceElementwise.AddScaled(beforeScaled, av, -0.3f), log.Values(b), bound, $"scaled sum");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Rotation_reads_its_tables_once_for_several_heads(int architecture, DataType type)
    {
        const int Tokens = 24, Heads = 16, Size = 128;
        using var log = new LaunchLog(architecture, type);
        var shape = new Shape(Tokens, Heads * Size);
        (Tensor x, double[] xs) = log.Random(shape, type, 1);
        (Tensor cosines, double[] cos) = log.Random(new Shape(Tokens + 5, Size / 2), DataType.Float32, 2);
        (Tensor sines, double[] sin) = log.Random(new Shape(Tokens + 5, Size / 2), DataType.Float32, 3);
        int[] positions = [.. Enumerable.Range(0, Tokens).Select(token => token * 7 % (Tokens + 5))];
        log.Backend.Rotate(x, cosines, sines, positions, Size, inverse: false);
        log.AssertTraffic("Rotate", 2 * type.BytesFor(shape.Count) + 4L * Tokens * (Size + 1));
        Accuracy.AssertClose(ReferenceRotary.Rotate(xs, cos, sin, positions, Size, false), log.Values(x), ConformanceBounds.For(type).Elementwise, $"rotated");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Rows_of_a_table_are_read_and_written_once(int architecture, DataType type)
    {
        const int Tokens = 40, Width = 512;
        using var log = new LaunchLog(architecture, type);
        int[] ids = [.. Enumerable.Range(0, Tokens).Select(token => token * 13 % 11)];
        Tensor named = log.Scope.Allocate(new Shape(Tokens), DataType.Int32), y = log.Scope.Allocate(new Shape(Tokens, Width), type);
        log.Backend.Upload(ids, named);
        foreach (DataType stored in new[] { DataType.Float32, DataType.Float16, DataType.BFloat16 })
        {
            (Tensor table, double[] rows) = log.Random(new Shape(11, Width), stored, 5);
            log.Backend.Gather(table, named, y);
            log.AssertTraffic("Gather", stored.BytesFor((long)Tokens * Width) + type.BytesFor((long)Tokens * Width));
            Accuracy.AssertClose(ReferenceEmbedding.Gather(rows, ids, Width), log.Values(y), ConformanceBounds.For(type).Elementwise, $"{stored} table");
        }

        (Tensor sums, double[] before) = log.Random(new Shape(11, Width), DataType.Float32, 6);
        double[] dy = log.Values(y);
        log.Backend.ScatterAdd(y, named, sums);
        Accuracy.AssertClose(ReferenceEmbedding.ScatterAdd(dy, ids, before), log.Values(sums), 1e-6, $"scattered");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Factors_of_columns_are_read_once_for_many_rows(int architecture, DataType type)
    {
        const int Rows = 128, Width = 512;
        using var log = new LaunchLog(architecture, type);
        var shape = new Shape(Rows, Width);
        (Tensor x, double[] xs) = log.Random(shape, type, 1);
        (Tensor y, double[] ys) = log.Random(shape, type, 2);
        (Tensor numerator, double[] numerators) = log.Random(new Shape(Width), DataType.Float32, 3);
        (Tensor denominator, double[] denominators) = log.Random(new Shape(Width), DataType.Float32, 4);
        Tensor dots = log.Scope.Allocate(new Shape(Width));
        long bytes = type.BytesFor(shape.Count);

        log.Backend.ColumnDots(x, y, denominator, dots, accumulate: false);
        Accuracy.AssertClose(ReferenceDora.ColumnDots(xs, ys, denominators), log.Values(dots), 1e-6, $"dots");
        log.Launches.RemoveAt(log.Launches.Count - 1);
        log.AssertTraffic("Dots", 2 * bytes);

        log.Backend.ScaleColumns(x, numerator, denominator, y);
        log.AssertTraffic("Scale", 2 * bytes + 8 * Width);
        double[] scaled = ReferenceDora.ScaleColumns(xs, numerators, denominators);
        Accuracy.AssertClose(scaled, log.Values(y), ConformanceBounds.For(type).Elementwise, $"scaled");
    }

    /// <summary>The weight is read once. A, of 16 rows here, comes from the cache for all warps of a block but one.</summary>
    [Theory]
    [InlineData(75, DataType.Float32)]
    [InlineData(80, DataType.Float16)]
    [InlineData(75, DataType.BFloat16)]
    [InlineData(75, DataType.Nf4)]
    [InlineData(80, DataType.Nf4)]
    public void Norms_of_adapted_rows_read_the_weight_once(int architecture, DataType type)
    {
        const int Outputs = 61, Inputs = 512, Rank = 16;
        using var log = new LaunchLog(architecture);
        (Tensor a, double[] av) = log.Random(new Shape(Rank, Inputs), DataType.Float32, 1);
        (Tensor b, double[] bv) = log.Random(new Shape(Outputs, Rank), DataType.Float32, 2);
        (Tensor weight, double[] w) = type == DataType.Nf4 ? log.RandomNf4(new Shape(Outputs, Inputs), 3) : log.Random(new Shape(Outputs, Inputs), type, 3);
        Tensor norms = log.Scope.Allocate(new Shape(Outputs));
        log.Backend.AdaptedRowNorms(weight, a, b, 0.5f, norms);
        Accuracy.AssertClose(ReferenceDora.AdaptedRowNorms(w, av, bv, 0.5, Outputs, Inputs, Rank), log.Values(norms), 1e-6, $"norms");

        // Eight warps of eight rows, the last three of which are read as the last row again: their maxima and B are small beside A.
        long weights = type.BytesFor(64L * Inputs), maxima = type == DataType.Nf4 ? 8L * Inputs : 0;
        LaunchReport report = log.AssertTraffic("Run", weights + maxima + (8L * 4 * Rank * Inputs) + (4L * Rank * 64), 1.05);
        Assert.Equal(0, report.BankConflicts);
    }

    /// <summary>The sums of gradients and of losses do not depend on which block is done first.</summary>
    [Fact]
    public void Sums_have_the_same_bits_every_time()
    {
        float[][] runs = [.. Enumerable.Range(0, 2).Select(_ => Run())];
        Assert.Equal(runs[0], runs[1]);

        static float[] Run()
        {
            using var log = new LaunchLog(80, DataType.BFloat16);
            var shape = new Shape(300, 128);
            Tensor x = log.Random(shape, DataType.BFloat16, 1).Tensor, dy = log.Random(shape, DataType.BFloat16, 2).Tensor;
            Tensor weight = log.Random(new Shape(128), DataType.Float32, 3).Tensor, dots = log.Scope.Allocate(new Shape(128));
            log.Backend.RmsNormBackward(x, weight, dy, Epsilon, null, false, weight, false);
            log.Backend.ColumnDots(x, dy, weight, dots, false);
            return [.. log.Backend.ToArray(weight), .. log.Backend.ToArray(dots)];
        }
    }
}
