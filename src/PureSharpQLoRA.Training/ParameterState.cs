using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>A parameter with what the optimizer keeps for it.</summary>
public abstract class ParameterState
{
    /// <summary>For a parameter whose moments are 0.</summary>
    protected ParameterState(Parameter parameter) => Parameter = parameter;

    /// <summary>What is trained.</summary>
    public Parameter Parameter { get; }

    /// <summary>The tensors that a checkpoint keeps, each with the ending of its name there.</summary>
    public abstract IReadOnlyList<(string Ending, Tensor Tensor)> Stored { get; }

    /// <summary>Issues an update; see <see cref="IBackend.AdamW"/>.</summary>
    internal abstract void Update(IBackend backend, Tensor gradient, in AdamWStep step, Tensor control);

    /// <summary>The state that an optimizer of the given kind keeps.</summary>
    internal static ParameterState Create(OptimizerType type, Parameter parameter, TensorScope scope, IBackend backend) =>
        type == OptimizerType.AdamW8Bit && parameter.Value.Shape.Count >= EightBitMoments.SmallestTensor
            ? new EightBitState(parameter, scope, backend)
            : new SingleState(parameter, scope, backend);

    /// <summary>Moments in fp32; the endings are PyTorch's.</summary>
    private sealed class SingleState : ParameterState
    {
        private readonly Tensor _first;
        private readonly Tensor _second;

        public SingleState(Parameter parameter, TensorScope scope, IBackend backend)
            : base(parameter)
        {
            _first = scope.Allocate(parameter.Value.Shape);
            _second = scope.Allocate(parameter.Value.Shape);
            backend.Fill(_first, 0);
            backend.Fill(_second, 0);
            Stored = [(".exp_avg", _first), (".exp_avg_sq", _second)];
        }

        public override IReadOnlyList<(string Ending, Tensor Tensor)> Stored { get; }

        internal override void Update(IBackend backend, Tensor gradient, in AdamWStep step, Tensor control) =>
            backend.AdamW(Parameter.Value, gradient, _first, _second, step, control);
    }

    /// <summary>Moments in 8 bits; the endings are bitsandbytes'.</summary>
    private sealed class EightBitState : ParameterState
    {
        private readonly Tensor _firstCodes;
        private readonly Tensor _firstMaxima;
        private readonly Tensor _secondCodes;
        private readonly Tensor _secondMaxima;

        public EightBitState(Parameter parameter, TensorScope scope, IBackend backend)
            : base(parameter)
        {
            Shape shape = parameter.Value.Shape;
            var blocks = new Shape(EightBitMoments.Blocks(shape.Count));
            (_firstCodes, _firstMaxima) = (scope.Allocate(shape, DataType.UInt8), scope.Allocate(blocks));
            (_secondCodes, _secondMaxima) = (scope.Allocate(shape, DataType.UInt8), scope.Allocate(blocks));

            // With maxima of 0 every code stands for 0; the same ones each time, so that checkpoints repeat bit for bit.
            var codes = new byte[shape.Count];
            backend.Upload(codes, _firstCodes);
            backend.Upload(codes, _secondCodes);
            backend.Fill(_firstMaxima, 0);
            backend.Fill(_secondMaxima, 0);
            Stored = [(".state1", _firstCodes), (".absmax1", _firstMaxima), (".state2", _secondCodes), (".absmax2", _secondMaxima)];
        }

        public override IReadOnlyList<(string Ending, Tensor Tensor)> Stored { get; }

        internal override void Update(IBackend backend, Tensor gradient, in AdamWStep step, Tensor control) =>
            backend.AdamW8Bit(Parameter.Value, gradient, _firstCodes, _firstMaxima, _secondCodes, _secondMaxima, step, control);
    }
}
