namespace PureSharpQLoRA.Transformers;

/// <summary>How an adapter is built; names and defaults follow PEFT's LoraConfig.</summary>
public sealed record LoraOptions
{
    /// <summary>The target that stands for every linear layer of the blocks.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>Rank of the update (r).</summary>
    public int Rank { get; init; } = 16;

    /// <summary>The update is scaled by alpha / rank, or alpha / sqrt(rank) for rsLoRA (lora_alpha).</summary>
    public double Alpha { get; init; } = 32;

    /// <summary>Probability of dropping an element of an adapter's input while training (lora_dropout).</summary>
    public float Dropout { get; init; }

    /// <summary>"all-linear", or names such as "q_proj": a layer is meant if its path is the name or ends with "." and the name (target_modules).</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [AllLinear];

    /// <summary>Scale by alpha / sqrt(rank) (Kalajdzievski 2023, arXiv:2312.03732).</summary>
    public bool UseRsLora { get; init; }

    /// <summary>Learn magnitude and direction apart (Liu et al. 2024, arXiv:2402.09353).</summary>
    public bool UseDora { get; init; }

    /// <summary>The factor on B·A.</summary>
    public float Scale => (float)(Alpha / (UseRsLora ? Math.Sqrt(Rank) : Rank));

    /// <summary>Whether a layer gets an adapter.</summary>
    public bool Targets(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        foreach (string target in TargetModules)
        {
            if (target == AllLinear || path == target || path.EndsWith("." + target, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Checks the values against each other.</summary>
    /// <exception cref="ArgumentException">A value makes no sense; the message names it.</exception>
    public void Validate()
    {
        if (Rank < 1)
        {
            throw new ArgumentException($"r must be at least 1, not {Rank}.");
        }

        if (!double.IsFinite(Alpha) || Alpha <= 0)
        {
            throw new ArgumentException($"lora_alpha must be above 0, not {Alpha}.");
        }

        if (!(Dropout >= 0 && Dropout < 1))
        {
            throw new ArgumentException($"lora_dropout must be in [0, 1), not {Dropout}.");
        }

        if (UseDora && Dropout > 0)
        {
            throw new ArgumentException("use_dora does not go with lora_dropout above 0; set lora_dropout to 0.");
        }

        if (TargetModules.Count == 0)
        {
            throw new ArgumentException("target_modules is empty; name layers such as q_proj, or all-linear.");
        }
    }
}
