namespace PureSharpQLoRA.Text.Tests;

public class BatchPlannerTests
{
    [Theory]
    [InlineData(1, 1, null)]
    [InlineData(4, 3, null)]
    [InlineData(2, 2, 32)]
    public void An_epoch_has_every_example_once(int batchSize, int accumulation, int? packed)
    {
        Dataset dataset = Documents(37, 1);
        var planner = new BatchPlanner(dataset, new BatchOptions { PerDeviceBatchSize = batchSize, GradientAccumulationSteps = accumulation, PackedLength = packed });
        var batch = new Batch();
        var seen = new List<int>();
        long microBatch = 0;
        for (int step = 0; step < planner.StepsPerEpoch; step++)
        {
            StepPlan plan = planner.Step(step);
            Assert.Equal(microBatch, plan.FirstMicroBatch);
            long targets = 0;
            for (int i = 0; i < plan.MicroBatches; i++)
            {
                planner.Fill(microBatch++, batch);
                targets += batch.TargetCount;
                for (int document = 0; document < batch.Documents; document++)
                {
                    // The first id of each document is its number.
                    seen.Add(batch.Ids[batch.Starts[document]]);
                }
            }

            Assert.Equal(plan.TargetCount, targets);
        }

        Assert.Equal(planner.MicroBatchesPerEpoch, microBatch);
        Assert.Equal(Enumerable.Range(0, 37), seen.Order());
        Assert.NotEqual(Enumerable.Range(0, 37), seen);
    }

    [Fact]
    public void Partial_batches_and_steps_end_an_epoch()
    {
        var planner = new BatchPlanner(Documents(10, 1), new BatchOptions { PerDeviceBatchSize = 4, GradientAccumulationSteps = 2, Shuffle = false });
        Assert.Equal((10, 3, 2), (planner.Rows, planner.MicroBatchesPerEpoch, planner.StepsPerEpoch));
        Assert.Equal((0L, 2), (planner.Step(0).FirstMicroBatch, planner.Step(0).MicroBatches));
        Assert.Equal((2L, 1), (planner.Step(1).FirstMicroBatch, planner.Step(1).MicroBatches));
        Assert.Equal((3L, 2), (planner.Step(2).FirstMicroBatch, planner.Step(2).MicroBatches));
        Assert.Equal([0, 1, 2, 3], FirstIds(planner, 0));
        Assert.Equal([8, 9], FirstIds(planner, 2));
        Assert.Equal([0, 1, 2, 3], FirstIds(planner, 3));
        Assert.Equal((0, 1), (planner.EpochOf(2), planner.EpochOf(3)));
    }

    [Fact]
    public void A_resumed_run_sees_what_an_unbroken_one_does()
    {
        Dataset dataset = Documents(23, 5);
        var options = new BatchOptions { PerDeviceBatchSize = 3, Seed = 9, PackedLength = 24 };
        var unbroken = new BatchPlanner(dataset, options);
        List<int[]> all = [.. Enumerable.Range(0, 50).Select(i => AllIds(unbroken, i))];
        for (int start = 49; start >= 0; start -= 7)
        {
            var resumed = new BatchPlanner(dataset, options);
            for (int i = start; i < 50; i++)
            {
                Assert.Equal(all[i], AllIds(resumed, i));
            }
        }
    }

    [Fact]
    public void Packed_rows_keep_documents_whole_and_are_well_filled()
    {
        Dataset dataset = Documents(2000, 11);
        int[][] rows = Packer.Pack(dataset.Examples, 64);
        Assert.Equal(Enumerable.Range(0, 2000), rows.SelectMany(row => row).Order());
        Assert.All(rows, row => Assert.InRange(row.Sum(example => dataset.Examples[example].Ids.Length), 2, 64));
        var planner = new BatchPlanner(dataset, new BatchOptions { PackedLength = 64, PerDeviceBatchSize = 4, Shuffle = false });
        Assert.Equal(rows.Length, planner.Rows);
        Assert.InRange(planner.FillRate, 0.98, 1);

        var batch = new Batch();
        planner.Fill(0, batch);
        Assert.Equal(rows.Take(4).Sum(row => row.Length), batch.Documents);
        for (int document = 0; document < batch.Documents; document++)
        {
            Example example = dataset.Examples[batch.Ids[batch.Starts[document]]];
            Assert.Equal(example.Ids, batch.Ids[batch.Starts[document]..batch.Starts[document + 1]]);
            Assert.Equal(Example.Ignored, batch.Labels[batch.Starts[document + 1] - 1]);
            Assert.Equal(0, batch.Positions[batch.Starts[document]]);
        }
    }

    [Fact]
    public void Each_document_goes_where_it_fits_best()
    {
        // Longest first: 7 | 6 | 4 does not fit in 3 left by 7, fits exactly in the row of 6 | 3 fills the row of 7.
        int[][] rows = Packer.Pack([Document(0, 3), Document(1, 7), Document(2, 4), Document(3, 6)], 10);
        Assert.Equal([[0, 1], [2, 3]], rows);
        Assert.Equal([[0], [1]], Packer.Pack([Document(0, 10), Document(1, 10)], 10));
    }

    [Fact]
    public void What_cannot_be_planned_is_refused()
    {
        Dataset dataset = Documents(3, 1);
        Assert.Contains("does not fit in a packed row of 2", Assert.Throws<ArgumentException>(() => new BatchPlanner(dataset, new BatchOptions { PackedLength = 2 })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchPlanner(dataset, new BatchOptions { PerDeviceBatchSize = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchPlanner(dataset, new BatchOptions { GradientAccumulationSteps = 0 }));
        Assert.Throws<ArgumentException>(() => new BatchPlanner(dataset with { Examples = [] }, new BatchOptions()));
    }

    /// <summary>Documents of 3 to 20 tokens, each beginning with its number.</summary>
    internal static Dataset Documents(int count, ulong seed)
    {
        var random = new Xoshiro256(seed, 0);
        Example[] examples = new Example[count];
        for (int i = 0; i < count; i++)
        {
            examples[i] = Document(i, 3 + random.Below(18));
        }

        return new Dataset(examples, new DatasetStatistics(count, 0, 0, 20, 0, 0, 0, 0));
    }

    private static Example Document(int number, int length)
    {
        int[] ids = [number, .. Enumerable.Range(0, length - 1).Select(i => 10_000 + i)];
        return new Example(ids, ids);
    }

    private static int[] FirstIds(BatchPlanner planner, long microBatch)
    {
        var batch = new Batch();
        planner.Fill(microBatch, batch);
        int[] ids = new int[batch.Documents];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = batch.Ids[batch.Starts[i]];
        }

        return ids;
    }

    private static int[] AllIds(BatchPlanner planner, long microBatch)
    {
        var batch = new Batch();
        planner.Fill(microBatch, batch);
        return [.. batch.Ids];
    }
}
