using System.Text.Json.Serialization;

namespace PureSharpQLoRA.Training;

/// <summary>
/// Dynamic loss scaling: the loss is multiplied by a factor that keeps small gradients within the range of fp16. A step whose gradients
/// overflow is repeated with half the factor; after many good ones it is doubled (Micikevicius et al. 2018, arXiv:1710.03740).
/// Part of a checkpoint's state.
/// </summary>
internal sealed class LossScaler
{
    private const double First = 65536;

    // Gradients that stay finite this far are zero: growing on would only take the factor out of fp32's range.
    private const double Largest = 1L << 40;
    private const int GoodStepsToGrow = 2000;

    [JsonPropertyName("loss_scale")]
    public double Scale { get; set; } = First;

    [JsonPropertyName("good_steps")]
    public int GoodSteps { get; set; }

    /// <summary>Whether no halving is left: the gradients overflow without any scaling.</summary>
    [JsonIgnore]
    public bool IsExhausted => Scale < 1;

    /// <summary>Counts a step that took place.</summary>
    public void CountGood()
    {
        if (++GoodSteps == GoodStepsToGrow)
        {
            GoodSteps = 0;
            Scale = Math.Min(2 * Scale, Largest);
        }
    }

    /// <summary>Halves the factor for a step that did not.</summary>
    public void CountOverflow()
    {
        GoodSteps = 0;
        Scale /= 2;
    }
}
