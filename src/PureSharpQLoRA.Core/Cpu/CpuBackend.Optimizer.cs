using System.Runtime.Intrinsics;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly AdamWork _adam = new();

    /// <inheritdoc/>
    public void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
    {
        ShapeException.ThrowIfNot(control, StepControl.Shape, "GradientNorm", "control");
        double squares = 0;
        int firstNotFinite = -1;
        for (int i = 0; i < gradients.Length; i++)
        {
            // The squares of finite fp32 values cannot overflow a sum in double.
            double sum = Reduce(gradients[i], "GradientNorm", squared: true);
            if (firstNotFinite < 0 && !double.IsFinite(sum))
            {
                firstNotFinite = i;
            }

            squares += sum;
        }

        StepControl.From(squares, firstNotFinite, lossScale, maxNorm).CopyTo(new Span<float>(WriteFloats(control, "GradientNorm", "control"), 4));
    }

    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        ShapeException.ThrowIfNot(control, StepControl.Shape, "AdamW", "control");
        ShapeException.ThrowIfNot(gradient, parameter.Shape, "AdamW", "the gradient");
        ShapeException.ThrowIfNot(firstMoment, parameter.Shape, "AdamW", "the first moment");
        ShapeException.ThrowIfNot(secondMoment, parameter.Shape, "AdamW", "the second moment");
        float* values = ReadFloats(control, "AdamW", "control");
        if (values[2] == 0)
        {
            return;
        }

        _adam.Run(
            _team,
            WriteFloats(parameter, "AdamW", "the parameter"),
            ReadFloats(gradient, "AdamW", "the gradient"),
            WriteFloats(firstMoment, "AdamW", "the first moment"),
            WriteFloats(secondMoment, "AdamW", "the second moment"),
            parameter.Shape.Count,
            step,
            gradientScale: values[1]);
    }

    private sealed class AdamWork : ParallelRange
    {
        private float* _parameter;
        private float* _gradient;
        private float* _first;
        private float* _second;
        private long _count;
        private float _gradientScale;
        private float _decay;
        private float _oneMinusBeta1;
        private float _beta2;
        private float _oneMinusBeta2;
        private float _stepSize;
        private float _rootCorrection;
        private float _epsilon;

        public void Run(ThreadTeam team, float* parameter, float* gradient, float* first, float* second, long count, in AdamWStep step, float gradientScale)
        {
            _parameter = parameter;
            _gradient = gradient;
            _first = first;
            _second = second;
            _count = count;

            // Factors are formed in double and rounded once, as PyTorch forms its scalars.
            _gradientScale = gradientScale;
            _decay = (float)(1 - (step.LearningRate * step.WeightDecay));
            _oneMinusBeta1 = (float)(1 - step.Beta1);
            _beta2 = (float)step.Beta2;
            _oneMinusBeta2 = (float)(1 - step.Beta2);
            _stepSize = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
            _rootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
            _epsilon = (float)step.Epsilon;
            Start(team, checked((int)((count + FlatRow - 1) / FlatRow)), 2);
        }

        protected override void Execute(int first, int end, int member)
        {
            long to = Math.Min(_count, (long)end * FlatRow);
            for (long i = (long)first * FlatRow; i < to; i += Lanes)
            {
                int count = (int)Math.Min(Lanes, to - i);
                Vector512<float> g = Load(_gradient + i, count) * _gradientScale;
                Vector512<float> m = Load(_first + i, count), v = Load(_second + i, count);
                Vector512<float> p = Load(_parameter + i, count) * _decay;
                m = Vector512.FusedMultiplyAdd(g - m, Vector512.Create(_oneMinusBeta1), m);
                v = Vector512.FusedMultiplyAdd(g * g, Vector512.Create(_oneMinusBeta2), v * _beta2);
                Vector512<float> denominator = (Vector512.Sqrt(v) / Vector512.Create(_rootCorrection)) + Vector512.Create(_epsilon);
                p -= m / denominator * _stepSize;
                Store(m, _first + i, count);
                Store(v, _second + i, count);
                Store(p, _parameter + i, count);
            }
        }
    }
}
