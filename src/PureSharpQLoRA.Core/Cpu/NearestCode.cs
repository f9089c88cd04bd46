using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>
/// Finds the code of an ascending map of 256 values that is nearest to a number; ties go to the lower code. A table by the number's sign,
/// exponent and first five fraction bits leads to a code that is not too high, a few comparisons lead on.
/// </summary>
internal sealed class NearestCode
{
    private const int DroppedBits = 18;

    private readonly byte[] _start = new byte[1 << (32 - DroppedBits)];
    private readonly float[] _above = new float[256];

    public NearestCode(ReadOnlySpan<float> map)
    {
        for (int code = 0; code < 255; code++)
        {
            _above[code] = (float)(((double)map[code] + map[code + 1]) / 2);
        }

        _above[255] = float.PositiveInfinity;
        for (int bucket = 0; bucket < _start.Length; bucket++)
        {
            float one = BitConverter.UInt32BitsToSingle((uint)bucket << DroppedBits);
            float other = BitConverter.UInt32BitsToSingle(((uint)(bucket + 1) << DroppedBits) - 1);
            _start[bucket] = Search(MathF.Min(one, other));
        }
    }

    /// <summary>The nearest code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Of(float value)
    {
        int code = _start[BitConverter.SingleToUInt32Bits(value) >> DroppedBits];
        while (value > _above[code])
        {
            code++;
        }

        return (byte)code;
    }

    private byte Search(float value)
    {
        int code = 0;
        while (value > _above[code])
        {
            code++;
        }

        return (byte)code;
    }
}
