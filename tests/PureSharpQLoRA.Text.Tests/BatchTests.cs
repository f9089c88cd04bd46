namespace PureSharpQLoRA.Text.Tests;

public class BatchTests
{
    private const int I = Example.Ignored;

    [Fact]
    public void Labels_are_shifted_within_each_document()
    {
        var batch = new Batch();
        batch.Add(new Example([1, 5, 6, 2], [1, 5, 6, 2]));
        batch.Add(new Example([1, 7, 8], [I, I, 8]));
        Assert.Equal([1, 5, 6, 2, 1, 7, 8], batch.Ids);
        Assert.Equal([5, 6, 2, I, I, 8, I], batch.Labels);
        Assert.Equal([0, 1, 2, 3, 0, 1, 2], batch.Positions);
        Assert.Equal([0, 4, 7], batch.Starts);
        Assert.Equal((7, 2, 4), (batch.Tokens, batch.Documents, batch.TargetCount));
    }

    [Fact]
    public void A_cleared_batch_keeps_nothing_of_what_it_held()
    {
        var batch = new Batch();
        batch.Add(new Example([1, 2, 3, 4], [1, 2, 3, 4]));
        batch.Clear();
        Assert.Equal([0], batch.Starts);
        Assert.Equal((0, 0, 0), (batch.Tokens, batch.Documents, batch.TargetCount));
        batch.Add(new Example([9, 8], [I, 8]));
        Assert.Equal([9, 8], batch.Ids);
        Assert.Equal([8, I], batch.Labels);
        Assert.Equal(1, batch.TargetCount);
    }

    [Fact]
    public void Documents_without_tokens_or_with_missing_labels_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new Batch().Add(new Example([], [])));
        Assert.Throws<ArgumentException>(() => new Batch().Add(new Example([1, 2], [1])));
    }

    [Fact]
    public void Filling_a_warm_batch_allocates_nothing()
    {
        var planner = new BatchPlanner(BatchPlannerTests.Documents(100, 3), new BatchOptions { PerDeviceBatchSize = 7, GradientAccumulationSteps = 3, PackedLength = 64 });
        var batch = new Batch();
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            for (int step = 0; step < 3 * planner.StepsPerEpoch; step++)
            {
                StepPlan plan = planner.Step(step);
                for (int i = 0; i < plan.MicroBatches; i++)
                {
                    planner.Fill(plan.FirstMicroBatch + i, batch);
                }
            }
        }
    }
}
