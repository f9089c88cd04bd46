using System.Runtime.CompilerServices;
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
            new AdamFactors(step, gradientScale: values[1]),
            WriteFloats(parameter, "AdamW", "the parameter"),
            ReadFloats(gradient, "AdamW", "the gradient"),
            WriteFloats(firstMoment, "AdamW", "the first moment"),
            WriteFloats(secondMoment, "AdamW", "the second moment"),
            parameter.Shape.Count);
    }

    /// <summary>One step of as many elements as a vector has.</summary>
    /// <returns>The updated parameters.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AdamUpdate(in AdamFactors f, Vector512<float> g, ref Vector512<float> m, ref Vector512<float> v, Vector512<float> p)
    {
        m = Vector512.FusedMultiplyAdd(g - m, Vector512.Create(f.OneMinusBeta1), m);
        v = Vector512.FusedMultiplyAdd(g * g, Vector512.Create(f.OneMinusBeta2), v * f.Beta2);
        Vector512<float> denominator = (Vector512.Sqrt(v) / Vector512.Create(f.RootCorrection)) + Vector512.Create(f.Epsilon);
        return (p * f.Decay) - (m / denominator * f.StepSize);
    }

    private sealed class AdamWork : ParallelRange
    {
        private AdamFactors _factors;
        private float* _parameter;
        private float* _gradient;
        private float* _first;
        private float* _second;
        private long _count;

        public void Run(ThreadTeam team, in AdamFactors factors, float* parameter, float* gradient, float* first, float* second, long count)
        {
            _factors = factors;
            _parameter = parameter;
            _gradient = gradient;
            _first = first;
            _second = second;
            _count = count;
            Start(team, checked((int)((count + FlatRow - 1) / FlatRow)), 2);
        }

        protected override void Execute(int first, int end, int member)
        {
            AdamFactors f = _factors;
            long to = Math.Min(_count, (long)end * FlatRow);
            for (long i = (long)first * FlatRow; i < to; i += Lanes)
            {
                int count = (int)Math.Min(Lanes, to - i);
                Vector512<float> g = Load(_gradient + i, count) * f.GradientScale;
                Vector512<float> m = Load(_first + i, count), v = Load(_second + i, count);
                Store(AdamUpdate(f, g, ref m, ref v, Load(_parameter + i, count)), _parameter + i, count);
                Store(m, _first + i, count);
                Store(v, _second + i, count);
            }
        }
    }
}
