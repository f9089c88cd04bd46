using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>AdamW over a model's trainable parameters, with fp32 moments (Loshchilov and Hutter 2017, arXiv:1711.05101).</summary>
public sealed class AdamWOptimizer : IDisposable
{
    private readonly IBackend _backend;
    private readonly TrainingOptions _options;
    private readonly TensorScope _gradients;
    private readonly TensorScope _moments;

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
            Tensor first = _moments.Allocate(parameter.Value.Shape), second = _moments.Allocate(parameter.Value.Shape);
            backend.Fill(first, 0);
            backend.Fill(second, 0);
            states[i] = new ParameterState(parameter, first, second);
        }

        States = states;
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

    /// <summary>The norm of all gradients taken together; not finite if one of them is not.</summary>
    public double GradientNorm()
    {
        double sum = 0;
        foreach (ParameterState state in States)
        {
            if (state.Parameter.Value.HasGradient)
            {
                sum += _backend.SumOfSquares(state.Parameter.Value.Gradient!);
            }
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The first parameter whose gradient is not finite, or null.</summary>
    public string? FirstNonFiniteGradient()
    {
        foreach (ParameterState state in States)
        {
            if (state.Parameter.Value.HasGradient && !double.IsFinite(_backend.SumOfSquares(state.Parameter.Value.Gradient!)))
            {
                return state.Parameter.Name;
            }
        }

        return null;
    }

    /// <summary>Updates all parameters that received a gradient.</summary>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="gradientScale">What clipping leaves of the gradients.</param>
    public void Update(double learningRate, float gradientScale)
    {
        Step++;
        foreach (ParameterState state in States)
        {
            if (!state.Parameter.Value.HasGradient)
            {
                continue;
            }

            double decay = state.Parameter.HasWeightDecay ? _options.WeightDecay : 0;
            var step = new AdamWStep(learningRate, _options.AdamBeta1, _options.AdamBeta2, _options.AdamEpsilon, decay, Step, gradientScale);
            _backend.AdamW(state.Parameter.Value, state.Parameter.Value.Gradient!, state.FirstMoment, state.SecondMoment, step);
        }
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

/// <summary>A parameter and its moments.</summary>
/// <param name="Parameter">What is trained.</param>
/// <param name="FirstMoment">The running mean of the gradient.</param>
/// <param name="SecondMoment">The running mean of its square.</param>
public sealed record ParameterState(Parameter Parameter, Tensor FirstMoment, Tensor SecondMoment);
