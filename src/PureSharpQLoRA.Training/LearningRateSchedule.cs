namespace PureSharpQLoRA.Training;

/// <summary>How the learning rate runs over the steps; names as in transformers.</summary>
public enum SchedulerType
{
    /// <summary>Down to 0 in a straight line.</summary>
    Linear,

    /// <summary>Half a cosine down to 0.</summary>
    Cosine,

    /// <summary>The same throughout; warm-up is ignored.</summary>
    Constant,

    /// <summary>The same throughout, after the warm-up.</summary>
    ConstantWithWarmup,
}

/// <summary>The learning rate of each optimizer step, as transformers' schedulers give it.</summary>
/// <param name="Type">The form.</param>
/// <param name="PeakRate">The rate at the end of the warm-up.</param>
/// <param name="WarmupSteps">Steps of the linear rise from 0; the first step of a warm-up has rate 0.</param>
/// <param name="TotalSteps">All optimizer steps of the run.</param>
public sealed record LearningRateSchedule(SchedulerType Type, double PeakRate, int WarmupSteps, int TotalSteps)
{
    /// <summary>The rate of a step.</summary>
    /// <param name="step">Counts from 0.</param>
    public double Rate(int step)
    {
        if (Type == SchedulerType.Constant)
        {
            return PeakRate;
        }

        if (step < WarmupSteps)
        {
            return PeakRate * step / Math.Max(1, WarmupSteps);
        }

        double progress = (double)(step - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps);
        return Type switch
        {
            SchedulerType.Linear => PeakRate * Math.Max(0, 1 - progress),
            SchedulerType.Cosine => PeakRate * Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * progress))),
            _ => PeakRate,
        };
    }
}
