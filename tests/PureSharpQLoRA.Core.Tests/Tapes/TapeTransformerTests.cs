using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Core.Tests.Tapes;

/// <summary>A whole small transformer on the tape: its gradients, whatever is computed again, and the memory of its steps.</summary>
public sealed class TapeTransformerTests : IDisposable
{
    private const int Vocabulary = 20;
    private const float Epsilon = 1e-3f;
    private static readonly int[] TokenIds = [3, 7, 1, 0, 19, 7, 7, 4, 12, 5, 2];
    private static readonly int[] Labels = [7, 1, 0, -100, 7, 7, -100, 12, 5, 2, -100];

    private readonly TapeFixture _fixture = new();
    private readonly SequenceLayout _layout = new();
    private readonly TestBlock[] _blocks;
    private readonly Leaf _embedding;
    private readonly Leaf _norm;
    private readonly Leaf _head;
    private readonly Tensor _ids;

    public TapeTransformerTests()
    {
        _layout.Set([0, 4, TokenIds.Length]);
        Leaf cosines = _fixture.Weight("cosines", new Shape(16, 4), trainable: false), sines = _fixture.Weight("sines", new Shape(16, 4), trainable: false);
        _embedding = _fixture.Weight("embedding", new Shape(Vocabulary, TestBlock.Width));
        _blocks = [new TestBlock(_fixture, 0, cosines, sines), new TestBlock(_fixture, 1, cosines, sines)];
        _norm = _fixture.Weight("norm", new Shape(TestBlock.Width));
        _head = _fixture.Weight("head", new Shape(Vocabulary, TestBlock.Width));
        _ids = _fixture.Ids(TokenIds);
    }

    private Tape Tape => _fixture.Tape;

    public void Dispose() => _fixture.Dispose();

    [Theory]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Cheap)]
    [InlineData(RecomputePolicy.Blocks)]
    public void Gradients_agree_with_finite_differences(RecomputePolicy policy)
    {
        Tape.Recompute = policy;
        double loss = Forward();
        Accuracy.AssertClose(Reference(), loss, 1e-6, $"the loss");
        Tape.Backward();
        _fixture.CheckGradients(() => 0.125 * Reference());
    }

    /// <summary>The MLP of 11 tokens in parts of 3, 4 and 4; its dropout draws for each part by itself, and the same in both passes.</summary>
    [Fact]
    public void Gradients_of_mlps_in_parts_agree_with_finite_differences()
    {
        Tape.Recompute = RecomputePolicy.Blocks;
        Tape.TransformRows = 4;
        Array.ForEach(_blocks, block => block.Parts = 3);
        double loss = Forward();
        Accuracy.AssertClose(Reference(), loss, 1e-6, $"the loss");
        Tape.Backward();
        _fixture.CheckGradients(() => 0.125 * Reference());
    }

    [Fact]
    public void Mlps_in_parts_take_less_memory_and_leave_nothing_behind()
    {
        Tape.Recompute = RecomputePolicy.Blocks;
        long whole = Peak();
        Tape.TransformRows = 4;
        long parts = Peak();
        Assert.True(parts < whole, $"{parts} bytes in parts, {whole} without");
        Assert.Equal(0, _fixture.Backend.Memory.BytesFor(MemoryPurpose.Activations));

        long Peak()
        {
            Step();
            _fixture.Backend.Memory.ResetPeaks();
            Step();
            return _fixture.Backend.Memory.PeakBytesFor(MemoryPurpose.Activations);
        }
    }

    [Fact]
    public void What_is_computed_again_does_not_change_a_bit()
    {
        float[][] kept = Gradients(RecomputePolicy.None);
        Assert.Equal(kept, Gradients(RecomputePolicy.Cheap));
        Assert.Equal(kept, Gradients(RecomputePolicy.Blocks));
        Assert.Equal(kept, Gradients(RecomputePolicy.None));

        float[][] Gradients(RecomputePolicy policy)
        {
            Tape.Recompute = policy;
            Forward();
            Tape.Backward();
            float[][] gradients = [.. _fixture.Leaves.Select(leaf => _fixture.Backend.ToArray(leaf.Tensor.Gradient!))];
            Tape.Reset();
            return gradients;
        }
    }

    [Fact]
    public void What_is_computed_again_takes_less_memory()
    {
        long none = Peak(RecomputePolicy.None), cheap = Peak(RecomputePolicy.Cheap), blocks = Peak(RecomputePolicy.Blocks);
        Assert.True(cheap < none, $"{cheap} bytes with cheap results computed again, {none} without");
        Assert.True(blocks < cheap, $"{blocks} bytes with blocks computed again, {cheap} with cheap results only");

        long Peak(RecomputePolicy policy)
        {
            Tape.Recompute = policy;
            _fixture.Backend.Memory.ResetPeaks();
            Forward();
            long after = _fixture.Backend.Memory.BytesFor(MemoryPurpose.Activations);
            Tape.Backward();
            Tape.Reset();
            return after;
        }
    }

    [Theory]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Cheap)]
    [InlineData(RecomputePolicy.Blocks)]
    public void Gradients_of_several_batches_add_up_where_they_are_collected(RecomputePolicy policy)
    {
        Tape.Recompute = policy;
        using var scope = new TensorScope(_fixture.Backend.Memory, MemoryPurpose.Gradients);
        Collect(scope);
        Step();
        double[][] once = Collected();
        Step();
        double[][] twice = Collected();
        for (int i = 0; i < once.Length; i++)
        {
            Accuracy.AssertClose(ReferenceElementwise.Scale(once[i], 2), twice[i], 1e-6, $"{_fixture.Leaves[i].Name}");
            _fixture.Leaves[i].Tensor.ClearGradient();
        }

        Step();
        Assert.Equal(once, Collected());
        _fixture.Leaves.ForEach(leaf => leaf.Tensor.UseGradient(null));

        double[][] Collected() => [.. _fixture.Leaves.Select(leaf => _fixture.Read(leaf.Tensor.Gradient!))];
    }

    [Theory]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Cheap)]
    [InlineData(RecomputePolicy.Blocks)]
    public void A_step_leaves_nothing_behind_and_the_next_takes_nothing_new(RecomputePolicy policy)
    {
        Tape.Recompute = policy;
        MemoryPool memory = _fixture.Backend.Memory;
        using var scope = new TensorScope(memory, MemoryPurpose.Gradients);
        Collect(scope);
        long before = memory.BytesInUse - memory.BytesFor(MemoryPurpose.Workspace);
        Step();
        Step();
        Assert.Equal(0, memory.BytesFor(MemoryPurpose.Activations));
        long workspace = memory.BytesFor(MemoryPurpose.Workspace);
        Assert.Equal(before + workspace, memory.BytesInUse);
        long taken = memory.BytesInUse + memory.BytesCached;
        long managed = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 5; step++)
        {
            Step();
        }

        long perStep = (GC.GetAllocatedBytesForCurrentThread() - managed) / 5;
        Assert.True(perStep <= 256, $"{perStep} managed bytes are allocated in a step.");
        Assert.Equal(taken, memory.BytesInUse + memory.BytesCached);
        Assert.Equal(workspace, memory.BytesFor(MemoryPurpose.Workspace));
        _fixture.Leaves.ForEach(leaf => leaf.Tensor.UseGradient(null));
    }

    /// <summary>Without a place to collect them, gradients of weights end with the step, and the next step begins anew.</summary>
    [Fact]
    public void Gradients_that_nobody_collects_end_with_the_step()
    {
        Forward();
        Tape.Backward();
        float[] first = _fixture.Backend.ToArray(_head.Tensor.Gradient!);
        Tape.Reset();
        Assert.False(_head.Tensor.HasGradient);
        Assert.Null(_head.Tensor.Gradient);
        Forward();
        Tape.Backward();
        Assert.Equal(first, _fixture.Backend.ToArray(_head.Tensor.Gradient!));
    }

    /// <summary>Norms are dropped in the forward pass and read by operations that cannot know that their operand is one.</summary>
    [Theory]
    [InlineData(RecomputePolicy.None)]
    [InlineData(RecomputePolicy.Cheap)]
    [InlineData(RecomputePolicy.Blocks)]
    public void Dropped_results_come_back_for_every_reader(RecomputePolicy policy)
    {
        Tape.Recompute = policy;
        Leaf x = _fixture.Input("x", new Shape(_layout.Tokens, TestBlock.Width));
        Tensor y = Tape.Block(new NormsEverywhere(_norm.Tensor), x.Tensor, _layout);
        double[] dy = _fixture.Values(y.Shape.Count);
        _fixture.Backend.Upload([.. dy.Select(value => (float)value)], Tape.GradientFor(y, out _));
        Tape.Backward();
        double Loss() => ReferenceElementwise.Dot(dy, NormsEverywhere.Reference(x.Values, _norm.Values, _layout.Starts.ToArray()));
        Accuracy.AssertClose(GradientCheck.Numerically(Loss, x.Values), _fixture.Read(x.Tensor.Gradient!), 1e-5, $"the gradient of x");
        Accuracy.AssertClose(GradientCheck.Numerically(Loss, _norm.Values), _fixture.Read(_norm.Tensor.Gradient!), 1e-5, $"the gradient of the norm");
    }

    private void Collect(TensorScope scope)
    {
        foreach (Leaf leaf in _fixture.Leaves)
        {
            leaf.Tensor.UseGradient(scope.Allocate(leaf.Tensor.Shape));
        }
    }

    private void Step()
    {
        Forward();
        Tape.Backward();
        Tape.Reset();
    }

    private double Forward()
    {
        Tensor x = Tape.Embedding(_embedding.Tensor, _ids);
        foreach (TestBlock block in _blocks)
        {
            x = Tape.Block(block, x, _layout);
        }

        Tape.Backend.Fill(_fixture.LossTotal, 0);
        Tape.LanguageLoss(Tape.RmsNorm(x, _norm.Tensor, Epsilon), _head.Tensor, Labels, 0.125f, _fixture.LossTotal);
        return Tape.Backend.ReadTotal(_fixture.LossTotal);
    }

    private double Reference()
    {
        double[] x = ReferenceEmbedding.Gather(_embedding.Values, TokenIds, TestBlock.Width);
        foreach (TestBlock block in _blocks)
        {
            x = block.Reference(x, _layout, Tape.RandomSeed);
        }

        x = ReferenceRmsNorm.Forward(x, _norm.Values, Epsilon);
        double[] logits = ReferenceProducts.MatMulTransposed(x, _head.Values, TokenIds.Length, TestBlock.Width, Vocabulary);
        return ReferenceCrossEntropy.Forward(logits, Labels).Sum();
    }

    private sealed class NormsEverywhere(Tensor norm) : IBlock
    {
        private static readonly AttentionShape Heads = new(2, 2, 8, 0.35f);

        public static double[] Reference(double[] x, double[] norm, int[] starts)
        {
            double[] h = ReferenceRmsNorm.Forward(x, norm, Epsilon);
            double[] mixed = ReferenceSwiGlu.Forward(h, ReferenceRmsNorm.Forward(h, norm, Epsilon));
            return ReferenceElementwise.Add(ReferenceAttention.Forward(h, mixed, h, Heads, starts).Output, ReferenceRmsNorm.Forward(h, norm, Epsilon));
        }

        public Tensor Attend(Tape tape, Tensor x, SequenceLayout layout)
        {
            Tensor h = tape.RmsNorm(x, norm, Epsilon);
            Tensor mixed = tape.SwiGlu(h, tape.RmsNorm(h, norm, Epsilon));
            return tape.Residual(tape.Attention(h, mixed, h, layout, Heads, 0), tape.RmsNorm(h, norm, Epsilon));
        }

        public Tensor Transform(Tape tape, Tensor x) => x;
    }
}
