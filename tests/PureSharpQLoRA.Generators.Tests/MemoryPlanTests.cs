using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Generators.Tests;

public class MemoryPlanTests
{
    private const long GB = 1_000_000_000;

    /// <summary>The numbers of weights that the models' publishers state.</summary>
    [Theory]
    [InlineData("Llama-2-7b", 6_738_415_616)]
    [InlineData("Llama-3.1-8B", 8_030_261_248)]
    [InlineData("Llama-3.2-1B", 1_235_814_400)]
    [InlineData("TinyLlama-1.1B", 1_100_048_384)]
    [InlineData("Mistral-7B-v0.1", 7_241_732_096)]
    [InlineData("Mistral-7B-v0.3", 7_248_023_552)]
    [InlineData("Qwen2.5-0.5B", 494_032_768)]
    [InlineData("Qwen3-0.6B", 596_049_920)]
    [InlineData("SmolLM-135M", 134_515_008)]
    public void Weights_are_as_many_as_published(string model, long expected) => Assert.Equal(expected, WeightCounts.Total(Configs.Spec(model)));

    [Fact]
    public void Llama_8B_trains_in_a_twelfth_of_the_memory()
    {
        ModelSpec spec = Configs.Spec("Llama-3.1-8B");

        long full = MemoryPlanner.Plan(spec, new() { Method = TrainingMethod.Full }).TotalBytes;
        long lora = MemoryPlanner.Plan(spec, new() { Method = TrainingMethod.Lora }).TotalBytes;
        long qlora = MemoryPlanner.Plan(spec, new()).TotalBytes;

        Assert.InRange(full, 72 * GB, 120 * GB);
        Assert.InRange(lora, 16 * GB, 20 * GB);
        Assert.InRange(qlora, 7 * GB, 8 * GB);
    }

    [Fact]
    public void Nf4_takes_half_a_byte_and_its_scales()
    {
        ModelSpec spec = Configs.Spec("Llama-3.1-8B");
        long weights = WeightCounts.Linear(spec);

        // 7 tensors in each of 32 layers have an offset each; all sizes are multiples of 64 * 256.
        Assert.Equal(6_979_321_856, weights);
        Assert.Equal((weights / 2) + (weights / 64 * 4), WeightCounts.Nf4Bytes(spec, doubleQuantization: false));
        Assert.Equal((weights / 2) + (weights / 64) + (weights / 64 / 256 * 4) + (7 * 32 * 4), WeightCounts.Nf4Bytes(spec, doubleQuantization: true));
    }

    [Fact]
    public void Partial_blocks_are_rounded_up()
    {
        // stories260K: 5 layers; q, o 64 x 64; k, v 32 x 64; gate, up 172 x 64; down 64 x 172. 172 * 64 / 64 = 172 blocks, in one nested block.
        ModelSpec spec = Configs.Spec("stories260K");

        Assert.Equal(5 * (22_656 + (4 * 708)), WeightCounts.Nf4Bytes(spec, doubleQuantization: false));
        Assert.Equal(5 * (22_656 + 708 + (7 * 8)), WeightCounts.Nf4Bytes(spec, doubleQuantization: true));
    }

    [Fact]
    public void Offloading_leaves_one_block_input_on_the_device()
    {
        ModelSpec spec = Configs.Spec("TinyLlama-1.1B");
        var options = new PlanOptions { Length = 1000 };
        long kept = MemoryPlanner.Plan(spec, options)[MemoryPlanner.Activations];
        long offloaded = MemoryPlanner.Plan(spec, options with { OffloadsActivations = true })[MemoryPlanner.Activations];

        // 22 block inputs of 2048 values in 16 bits.
        Assert.Equal(1000 * 21 * 2048 * 2, kept - offloaded);
        PlanOptions selective = options with { Checkpointing = Checkpointing.Selective };
        Assert.Equal(MemoryPlanner.Plan(spec, selective).TotalBytes, MemoryPlanner.Plan(spec, selective with { OffloadsActivations = true }).TotalBytes);
        Assert.Contains("activations offloaded", MemoryTable.Write(spec, options with { OffloadsActivations = true }), StringComparison.Ordinal);
    }

    [Fact]
    public void Adapters_follow_rank_and_targets()
    {
        ModelSpec spec = Configs.Spec("TinyLlama-1.1B");
        MemoryPlan all = MemoryPlanner.Plan(spec, new() { Rank = 8 });
        MemoryPlan some = MemoryPlanner.Plan(spec, new() { Rank = 8, TargetModules = ["q_proj", "v_proj"] });
        MemoryPlan half = MemoryPlanner.Plan(spec, new() { Rank = 8, AdapterBits = 16, OptimizerBits = 8 });

        // 22 layers of q (2048 + 2048) and v (2048 + 256).
        // In fp32, with a copy in 16 bits on a card.
        Assert.Equal(6L * 8 * 22 * (4096 + 2304), some[MemoryPlanner.Adapters]);
        Assert.Equal(12_615_680 / 2 * 6, all[MemoryPlanner.Adapters]);
        Assert.Equal(12_615_680 / 2 * 4, MemoryPlanner.Plan(spec, new() { Rank = 8, ActivationBits = 32 })[MemoryPlanner.Adapters]);
        Assert.Equal(12_615_680 / 2 * 8, all[MemoryPlanner.Optimizer]);
        Assert.Equal(all[MemoryPlanner.Gradients], 2 * half[MemoryPlanner.Gradients]);

        // B of the keys and of the values, 256 x 8 in each of 22 layers, is too small for moments of 8 bits.
        long small = 22 * 2 * 256 * 8, large = 6_307_840 - small;
        Assert.Equal((8 * small) + (2 * (large + (large / 256 * 4))), half[MemoryPlanner.Optimizer]);
        Assert.True(some[MemoryPlanner.Working] <= all[MemoryPlanner.Working]);
    }

    [Fact]
    public void Checkpointing_keeps_one_hidden_state_per_layer()
    {
        ModelSpec spec = Configs.Spec("Llama-3.1-8B");
        long Kept(Checkpointing checkpointing) => MemoryPlanner.Plan(spec, new() { Checkpointing = checkpointing })[MemoryPlanner.Activations];

        // And the final norm's input and result.
        Assert.Equal(1024L * (32 + 2) * 4096 * 2, Kept(Checkpointing.Full));
        Assert.Equal(1024L * 32 * 2 * ((2 * 4096) + 14336), Kept(Checkpointing.None) - Kept(Checkpointing.Selective));
        Assert.True(Kept(Checkpointing.Full) < Kept(Checkpointing.Selective));
    }

    [Theory]
    [InlineData("Llama-3.1-8B", 1024, 32, 64 * 128256 * 4)]
    [InlineData("Llama-3.1-8B", 1024, 16, 256 * 128256 * 6)]
    [InlineData("stories260K", 1024, 32, 512 * 512 * 4)]
    [InlineData("stories260K", 5000, 16, 4096 * 512 * 6)]
    [InlineData("stories260K", 7, 32, 7 * 512 * 4)]
    public void Logits_exist_for_a_chunk_of_tokens_only(string model, int length, int activationBits, long expected) =>
        Assert.Equal(expected, MemoryPlanner.LogitBytes(Configs.Spec(model), new() { Length = length, ActivationBits = activationBits }));

    [Fact]
    public void Mlps_are_computed_for_a_part_of_a_long_text_at_a_time()
    {
        ModelSpec spec = Configs.Spec("Llama-3.1-8B");
        long InFlight(int length) => ActivationBytes.InFlight(spec, new() { Length = length });

        // Beyond a part, a token takes what the attention keeps alone; from some length on the attention's own gradients are the most.
        long perToken = (2 * ((4 * 4096) + (2 * 1024) + (4 * 16))) + (4 * 32);
        Assert.Equal(100 * perToken, InFlight(2148) - InFlight(2048));
        Assert.True(InFlight(1948) < InFlight(2048) - (100 * 4 * 14336 * 2));
        Assert.True(InFlight(100_000) < 100_000L * 4 * 14336);
    }

    [Fact]
    public void Longest_context_fits_and_one_token_more_does_not()
    {
        ModelSpec spec = Configs.Spec("Llama-3.1-8B");
        var options = new PlanOptions();

        int length = MemoryPlanner.LongestContext(spec, options, 8 * GB);

        Assert.InRange(length, 1024, 4096);
        Assert.True(MemoryPlanner.Plan(spec, options with { Length = length }).TotalBytes <= 8 * GB);
        Assert.True(MemoryPlanner.Plan(spec, options with { Length = length + 1 }).TotalBytes > 8 * GB);
        Assert.Equal(0, MemoryPlanner.LongestContext(spec, options, 4 * GB));
        Assert.Equal(131072, MemoryPlanner.LongestContext(spec, options, 1000 * GB));
    }

    [Theory]
    [InlineData("16GiB", 17_179_869_184)]
    [InlineData("24 GB", 24_000_000_000)]
    [InlineData("1.5kib", 1536)]
    [InlineData("1024", 1024)]
    public void Sizes_are_read(string text, long expected)
    {
        Assert.True(Parsing.ByteSize.TryParse(text, out long bytes));
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public void Budget_that_fits_gives_no_warning() => Assert.Null(Check(new PlanOptions(), 8 * GB));

    [Fact]
    public void Warning_names_the_largest_rows_and_what_would_fit()
    {
        string warning = Check(new PlanOptions { Checkpointing = Checkpointing.None }, 8 * GB)!;

        Assert.StartsWith("Llama8B needs 10.6 GiB for 1024 tokens at rank 16, but VramBudget is 7.5 GiB; ", warning, StringComparison.Ordinal);
        Assert.Contains("largest are Activations 4.3 GiB, Linear layers 3.5 GiB, Embedding/head/norms 2.0 GiB", warning, StringComparison.Ordinal);
        Assert.EndsWith("it fits with GradientCheckpointing=\"true\" (6.6 GiB), or with TokensPerStep=\"261\" (7.4 GiB)", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Warning_adds_settings_up_where_none_is_enough()
    {
        string warning = Check(new PlanOptions { Checkpointing = Checkpointing.None, Rank = 64 }, 7 * GB)!;

        Assert.EndsWith(
            "it fits with GradientCheckpointing=\"true\" and Rank=\"8\" (6.3 GiB)", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Warning_offers_every_setting_that_is_enough_alone()
    {
        string warning = Check(new PlanOptions { Length = 4096 }, 8_130_000_000)!;

        Assert.Matches("it fits with Rank=\"8\" \\(7.. GiB\\), or with TokensPerStep=\"[0-9]{4}\" \\(7.. GiB\\)$", warning);
    }

    [Fact]
    public void Warning_says_when_nothing_helps() =>
        Assert.EndsWith("choose a smaller model or a larger budget", Check(new PlanOptions(), 4 * GB)!, StringComparison.Ordinal);

    private static string? Check(PlanOptions options, long budget) => BudgetAdvisor.Check(Configs.Spec("Llama-3.1-8B"), "Llama8B", options, budget);
}
