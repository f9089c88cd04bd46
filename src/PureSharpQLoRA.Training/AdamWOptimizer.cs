using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>AdamW over a model's trainable parameters, with moments in fp32 or in 8 bits (Loshchilov and Hutter 2017, arXiv:1711.05101).</summary>
public sealed class AdamWOptimizer : IDisposable
{
    private readonly IBackend _backend;
    private readonly TrainingOptions _options;
    private readonly TensorScope _gradients;
    private readonly TensorScope _moments;
    private readonly Tensor _control;
    private readonly Tensor[] _stepGradients;
    private readonly ParameterState[] _stepStates;
    private int _stepCount;

    /// <summary>An optimizer whose moments are 0; gives each parameter its gradient buffer.</summary>
    public AdamWOptimizer(IBackend backend, IReadOnlyList<Parameter> parameters, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(options);
        (_backend, _options) = (backend, options);
        _gradients = new TensorScope(backend.Memory, MemoryPurpose.Gradients);
        _moments = new TensorScope(backend.Memory, MemoryPurpose.Optimizer);
        var states = new ParameterState[parameters.Count];
        for (int i = 0; i < states.Length; i++)
        {
            Parameter parameter = parameters[i];
            parameter.AllocateGradient(_gradients);
            states[i] = ParameterState.Create(options.Optimizer, parameter, _moments, backend);
        }

        States = states;
        _control = _moments.Allocate(StepControl.Shape);
        _stepGradients = new Tensor[states.Length];
        _stepStates = new ParameterState[states.Length];
    }

    /// <summary>Steps taken so far.</summary>
    public int Step { get; set; }

    /// <summary>The parameters with their moments, for checkpoints.</summary>
    public IReadOnlyList<ParameterState> States { get; }

    /// <summary>Forgets all gradients before the first micro-batch of a step.</summary>
    public void ClearGradients()
    {
        foreach (ParameterState state in States)
        {
            state.Parameter.Value.ClearGradient();
        }
    }

    /// <summary>
    /// Issues the clipping and the update of all parameters that received a gradient. They take place if all gradients are finite;
    /// <see cref="Complete"/> tells.
    /// </summary>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="maxGradientNorm">The largest global norm, 0 for no limit.</param>
    /// <param name="lossScale">What the gradients were multiplied by.</param>
    public void Issue(double learningRate, double maxGradientNorm, float lossScale)
    {
        _stepCount = 0;
        foreach (ParameterState state in States)
        {
            if (state.Parameter.Value.HasGradient)
            {
                _stepStates[_stepCount] = state;
                _stepGradients[_stepCount++] = state.Parameter.Value.Gradient!;
            }
        }

        _backend.GradientNorm(_stepGradients.AsSpan(0, _stepCount), lossScale, (float)maxGradientNorm, _control);
        for (int i = 0; i < _stepCount; i++)
        {
            ParameterState state = _stepStates[i];
            double decay = state.Parameter.HasWeightDecay ? _options.WeightDecay : 0;
            double rate = state.Parameter.IsLoraB ? learningRate * _options.LoraPlusRatio : learningRate;
            var step = new AdamWStep(rate, _options.AdamBeta1, _options.AdamBeta2, _options.AdamEpsilon, decay, Step + 1);
            state.Update(_backend, _stepGradients[i], step, _control);
        }
    }

    /// <summary>Waits for what was issued, and counts the step if it took place.</summary>
    public OptimizerOutcome Complete()
    {
        StepControl control = StepControl.Read(_backend, _control);
        if (control.IsFinite)
        {
            Step++;
        }

        return new OptimizerOutcome(control.Norm, control.IsFinite ? null : _stepStates[control.FirstNotFinite].Parameter.Name);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ParameterState state in States)
        {
            state.Parameter.ReleaseGradient();
        }

        _gradients.Dispose();
        _moments.Dispose();
    }
}

/// <summary>What became of a step.</summary>
/// <param name="GradientNorm">The norm of all gradients taken together, before clipping.</param>
/// <param name="NonFiniteParameter">The first parameter whose gradient is not finite: then nothing was updated. Null when the step took place.</param>
public readonly record struct OptimizerOutcome(double GradientNorm, string? NonFiniteParameter);
