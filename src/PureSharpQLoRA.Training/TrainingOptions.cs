namespace PureSharpQLoRA.Training;

/// <summary>How a run trains; names and defaults follow transformers' TrainingArguments where it has the setting.</summary>
public sealed record TrainingOptions
{
    /// <summary>Where results go.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>Micro-batch: rows computed at a time (per_device_train_batch_size).</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Micro-batches per optimizer step (gradient_accumulation_steps).</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Passes over the data (num_train_epochs); not used where <see cref="MaxSteps"/> is set.</summary>
    public double Epochs { get; init; } = 3;

    /// <summary>Optimizer steps; 0 or below to go by epochs (max_steps).</summary>
    public int MaxSteps { get; init; }

    /// <summary>The peak learning rate (learning_rate).</summary>
    public double LearningRate { get; init; } = 2e-4;

    /// <summary>The form of the schedule (lr_scheduler_type).</summary>
    public SchedulerType Scheduler { get; init; } = SchedulerType.Linear;

    /// <summary>Steps of warm-up (warmup_steps); wins over <see cref="WarmupRatio"/> when above 0.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>Warm-up as a part of all steps (warmup_ratio).</summary>
    public double WarmupRatio { get; init; }

    /// <summary>
    /// The learning rate of the adapters' matrices B over that of all other weights; 1 for one rate (loraplus_lr_ratio; LoRA+, Hayou et al. 2024, arXiv:2402.12354).
    /// </summary>
    public double LoraPlusRatio { get; init; } = 1;

    /// <summary>Decoupled weight decay (weight_decay).</summary>
    public double WeightDecay { get; init; }

    /// <summary>What updates the parameters (optim).</summary>
    public OptimizerType Optimizer { get; init; }

    /// <summary>Decay of the first moment (adam_beta1).</summary>
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment (adam_beta2).</summary>
    public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment (adam_epsilon).</summary>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>The largest global gradient norm; larger ones are scaled down; 0 for no limit (max_grad_norm).</summary>
    public double MaxGradientNorm { get; init; } = 1;

    /// <summary>Keep only the input of each block and compute the rest again (gradient_checkpointing).</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Keep the inputs of blocks in the host's memory until their backward pass; with gradient checkpointing only (activation_offloading).</summary>
    public bool ActivationOffloading { get; init; }

    /// <summary>Noise on embeddings; 0 for none (neftune_noise_alpha).</summary>
    public float NeftuneNoiseAlpha { get; init; }

    /// <summary>Write metrics every so many steps (logging_steps).</summary>
    public int LoggingSteps { get; init; } = 10;

    /// <summary>Evaluate every so many steps and at the end; 0 for never (eval_steps).</summary>
    public int EvalSteps { get; init; }

    /// <summary>Write a checkpoint every so many steps; 0 for none but on interruption (save_steps).</summary>
    public int SaveSteps { get; init; } = 500;

    /// <summary>Keep only the newest checkpoints; 0 for all (save_total_limit).</summary>
    public int SaveTotalLimit { get; init; }

    /// <summary>Stop when the evaluation loss has not improved for so many evaluations; 0 for never (early_stopping_patience).</summary>
    public int EarlyStoppingPatience { get; init; }

    /// <summary>Governs the order of the data, dropout, noise and the adapter's first values (seed).</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Visit the data in a new order each epoch (shuffle).</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Checks the values against each other.</summary>
    /// <exception cref="ArgumentException">A value makes no sense; the message names the option.</exception>
    public void Validate()
    {
        Require(BatchSize >= 1, "per_device_train_batch_size", BatchSize, "at least 1");
        Require(GradientAccumulationSteps >= 1, "gradient_accumulation_steps", GradientAccumulationSteps, "at least 1");
        Require(MaxSteps > 0 || Epochs > 0, "num_train_epochs", Epochs, "above 0");
        Require(LearningRate >= 0 && double.IsFinite(LearningRate), "learning_rate", LearningRate, "0 or above");
        Require(LoraPlusRatio > 0 && double.IsFinite(LoraPlusRatio), "loraplus_lr_ratio", LoraPlusRatio, "above 0");
        Require(WarmupSteps >= 0, "warmup_steps", WarmupSteps, "0 or above");
        Require(WarmupRatio is >= 0 and <= 1, "warmup_ratio", WarmupRatio, "in [0, 1]");
        Require(WeightDecay >= 0, "weight_decay", WeightDecay, "0 or above");
        Require(AdamBeta1 is >= 0 and < 1, "adam_beta1", AdamBeta1, "in [0, 1)");
        Require(AdamBeta2 is >= 0 and < 1, "adam_beta2", AdamBeta2, "in [0, 1)");
        Require(AdamEpsilon > 0, "adam_epsilon", AdamEpsilon, "above 0");
        Require(MaxGradientNorm >= 0, "max_grad_norm", MaxGradientNorm, "0 or above");
        if (ActivationOffloading && !GradientCheckpointing)
        {
            throw new ArgumentException("activation_offloading keeps the inputs of blocks that are computed again: it needs gradient_checkpointing true.");
        }

        Require(NeftuneNoiseAlpha >= 0, "neftune_noise_alpha", NeftuneNoiseAlpha, "0 or above");
        Require(LoggingSteps >= 1, "logging_steps", LoggingSteps, "at least 1");
        Require(EvalSteps >= 0, "eval_steps", EvalSteps, "0 or above");
        Require(SaveSteps >= 0, "save_steps", SaveSteps, "0 or above");
        Require(SaveTotalLimit >= 0, "save_total_limit", SaveTotalLimit, "0 or above");
        Require(EarlyStoppingPatience >= 0, "early_stopping_patience", EarlyStoppingPatience, "0 or above");
    }

    private static void Require(bool holds, string name, double value, string expected)
    {
        if (!holds)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} must be {expected}, not {value}."));
        }
    }
}
