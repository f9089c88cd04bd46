using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Quantization;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly Adam8BitWork _adam8Bit = new();

    /// <inheritdoc/>
    public void AdamW8Bit(
        Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control)
    {
        const string Operation = "AdamW8Bit";
        ArgumentNullException.ThrowIfNull(parameter);
        ShapeException.ThrowIfNot(control, StepControl.Shape, Operation, "control");
        ShapeException.ThrowIfNot(gradient, parameter.Shape, Operation, "the gradient");
        ShapeException.ThrowIfNot(firstCodes, parameter.Shape, Operation, "the codes of the first moment");
        ShapeException.ThrowIfNot(secondCodes, parameter.Shape, Operation, "the codes of the second moment");
        ShapeException.ThrowIfNot(firstCodes, DataType.UInt8, Operation, "the codes of the first moment");
        ShapeException.ThrowIfNot(secondCodes, DataType.UInt8, Operation, "the codes of the second moment");
        var blocks = new Shape(EightBitMoments.Blocks(parameter.Shape.Count));
        ShapeException.ThrowIfNot(firstMaxima, blocks, Operation, "the maxima of the first moment");
        ShapeException.ThrowIfNot(secondMaxima, blocks, Operation, "the maxima of the second moment");
        float* values = ReadFloats(control, Operation, "control");
        if (values[2] == 0)
        {
            return;
        }

        _adam8Bit.Run(
            _team,
            new AdamFactors(step, values[1]),
            WriteFloats(parameter, Operation, "the parameter"),
            ReadFloats(gradient, Operation, "the gradient"),
            new Moment8Bit((byte*)Write(firstCodes), WriteFloats(firstMaxima, Operation, "the maxima of the first moment")),
            new Moment8Bit((byte*)Write(secondCodes), WriteFloats(secondMaxima, Operation, "the maxima of the second moment")),
            parameter.Shape.Count);
    }

    private readonly struct Moment8Bit(byte* codes, float* maxima)
    {
        public readonly byte* Codes = codes;
        public readonly float* Maxima = maxima;
    }

    /// <summary>A block of 256 elements at a time: decodes the moments, updates, and encodes them by their new maxima.</summary>
    private sealed class Adam8BitWork : ParallelRange
    {
        private const int BlockSize = EightBitMoments.BlockSize;

        private static readonly NearestCode SignedCode = new(DynamicMap.Signed);
        private static readonly NearestCode UnsignedCode = new(DynamicMap.Unsigned);

        private AdamFactors _factors;
        private float* _parameter;
        private float* _gradient;
        private Moment8Bit _first;
        private Moment8Bit _second;
        private long _count;

        public void Run(ThreadTeam team, in AdamFactors factors, float* parameter, float* gradient, in Moment8Bit first, in Moment8Bit second, long count)
        {
            _factors = factors;
            _parameter = parameter;
            _gradient = gradient;
            _first = first;
            _second = second;
            _count = count;
            Start(team, EightBitMoments.Blocks(count), 32);
        }

        protected override void Execute(int first, int end, int member)
        {
            float* m = stackalloc float[BlockSize];
            float* v = stackalloc float[BlockSize];
            for (int block = first; block < end; block++)
            {
                long from = (long)block * BlockSize;
                int count = (int)Math.Min(BlockSize, _count - from);
                Decode(_first, block, count, DynamicMap.Signed, m);
                Decode(_second, block, count, DynamicMap.Unsigned, v);
                Update(from, count, m, v);
                Encode(_first, block, count, SignedCode, m);
                Encode(_second, block, count, UnsignedCode, v);
            }
        }

        private static void Decode(in Moment8Bit moment, int block, int count, ReadOnlySpan<float> map, float* values)
        {
            byte* codes = moment.Codes + ((long)block * BlockSize);
            float maximum = moment.Maxima[block];
            for (int i = 0; i < count; i++)
            {
                values[i] = map[codes[i]] * maximum;
            }
        }

        private static void Encode(in Moment8Bit moment, int block, int count, NearestCode nearest, float* values)
        {
            Vector512<float> largest = default;
            for (int i = 0; i < count; i += Lanes)
            {
                largest = Vector512.Max(largest, Vector512.Abs(Load(values + i, count - i)));
            }

            float maximum = 0;
            for (int lane = 0; lane < Lanes; lane++)
            {
                maximum = MathF.Max(maximum, largest[lane]);
            }

            moment.Maxima[block] = maximum;
            byte* codes = moment.Codes + ((long)block * BlockSize);

            // A block of zeros has the codes of zero.
            float divisor = maximum > 0 ? maximum : 1;
            for (int i = 0; i < count; i++)
            {
                codes[i] = nearest.Of(values[i] / divisor);
            }
        }

        private void Update(long from, int count, float* first, float* second)
        {
            AdamFactors f = _factors;
            for (int i = 0; i < count; i += Lanes)
            {
                int lanes = count - i;
                Vector512<float> g = Load(_gradient + from + i, lanes) * f.GradientScale;
                Vector512<float> m = Load(first + i, lanes), v = Load(second + i, lanes);
                Store(AdamUpdate(f, g, ref m, ref v, Load(_parameter + from + i, lanes)), _parameter + from + i, lanes);
                Store(m, first + i, lanes);
                Store(v, second + i, lanes);
            }
        }
    }
}
