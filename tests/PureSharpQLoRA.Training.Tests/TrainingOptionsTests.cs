namespace PureSharpQLoRA.Training.Tests;

public sealed class TrainingOptionsTests
{
    private static readonly Dictionary<string, Func<TrainingOptions, TrainingOptions>> Mistakes = new()
    {
        ["per_device_train_batch_size must be at least 1, not 0."] = options => options with { BatchSize = 0 },
        ["gradient_accumulation_steps must be at least 1, not -1."] = options => options with { GradientAccumulationSteps = -1 },
        ["num_train_epochs must be above 0, not 0."] = options => options with { Epochs = 0 },
        ["learning_rate must be 0 or above, not -0.001."] = options => options with { LearningRate = -0.001 },
        ["learning_rate must be 0 or above, not NaN."] = options => options with { LearningRate = double.NaN },
        ["learning_rate must be 0 or above, not Infinity."] = options => options with { LearningRate = double.PositiveInfinity },
        ["warmup_steps must be 0 or above, not -1."] = options => options with { WarmupSteps = -1 },
        ["warmup_ratio must be in [0, 1], not 1.5."] = options => options with { WarmupRatio = 1.5 },
        ["weight_decay must be 0 or above, not -0.1."] = options => options with { WeightDecay = -0.1 },
        ["adam_beta1 must be in [0, 1), not 1."] = options => options with { AdamBeta1 = 1 },
        ["adam_beta2 must be in [0, 1), not -0.5."] = options => options with { AdamBeta2 = -0.5 },
        ["adam_epsilon must be above 0, not 0."] = options => options with { AdamEpsilon = 0 },
        ["max_grad_norm must be 0 or above, not NaN."] = options => options with { MaxGradientNorm = double.NaN },
        ["neftune_noise_alpha must be 0 or above, not -5."] = options => options with { NeftuneNoiseAlpha = -5 },
        ["logging_steps must be at least 1, not 0."] = options => options with { LoggingSteps = 0 },
        ["eval_steps must be 0 or above, not -1."] = options => options with { EvalSteps = -1 },
        ["save_steps must be 0 or above, not -1."] = options => options with { SaveSteps = -1 },
        ["save_total_limit must be 0 or above, not -1."] = options => options with { SaveTotalLimit = -1 },
        ["early_stopping_patience must be 0 or above, not -1."] = options => options with { EarlyStoppingPatience = -1 },
    };

    public static TheoryData<string> Messages => new(Mistakes.Keys);

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_value_that_makes_no_sense_is_named(string message)
    {
        var good = new TrainingOptions { OutputDirectory = "out" };
        good.Validate();
        Assert.Equal(message, Assert.Throws<ArgumentException>(Mistakes[message](good).Validate).Message);
    }
}
