using System.Globalization;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>Constants (PTX ISA "Integer Constants", "Floating-Point Constants").</summary>
internal static class ImmediateBits
{
    public static ImmediateOperand? Parse(string text, bool minus)
    {
        if (text.Length == 10 && text.StartsWith("0f", StringComparison.OrdinalIgnoreCase))
        {
            float value = BitConverter.UInt32BitsToSingle(uint.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            if (minus)
            {
                value = -value;
            }

            return new ImmediateOperand(BitConverter.SingleToInt32Bits(value), value, ImmediateKind.Single);
        }
        if (text.Length == 18 && text.StartsWith("0d", StringComparison.OrdinalIgnoreCase))
        {
            double value = BitConverter.UInt64BitsToDouble(ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            if (minus)
            {
                value = -value;
            }

            return new ImmediateOperand(BitConverter.DoubleToInt64Bits(value), value, ImmediateKind.Double);
        }
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (!hex && (text.Contains('.') || text.Contains('e') || text.Contains('E')))
        {
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            {
                return null;
            }

            if (minus)
            {
                value = -value;
            }

            return new ImmediateOperand(BitConverter.DoubleToInt64Bits(value), value, ImmediateKind.Decimal);
        }
        string digits = text.TrimEnd('U');
        try
        {
            ulong bits = hex ? System.Convert.ToUInt64(digits[2..], 16)
                : digits.StartsWith("0b", StringComparison.OrdinalIgnoreCase) ? System.Convert.ToUInt64(digits[2..], 2)
                : digits.Length > 1 && digits[0] == '0' ? System.Convert.ToUInt64(digits, 8)
                : ulong.Parse(digits, CultureInfo.InvariantCulture);
            long signed = minus ? -(long)bits : (long)bits;
            return new ImmediateOperand(signed, signed, ImmediateKind.Integer);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The constant's bits as a value of <paramref name="type"/>.</summary>
    public static ulong Convert(ImmediateOperand imm, ScalarType type)
    {
        switch (type)
        {
            case ScalarType.F32 or ScalarType.TF32:
                return imm.Kind == ImmediateKind.Single ? (uint)imm.Bits : BitConverter.SingleToUInt32Bits((float)imm.Float);
            case ScalarType.F64:
                return BitConverter.DoubleToUInt64Bits(imm.Float);
            case ScalarType.F16:
                return imm.Kind == ImmediateKind.Integer ? (ushort)imm.Bits : HalfFormat.FromDouble(imm.Float);
        }
        ulong bits = imm.Kind switch
        {
            ImmediateKind.Integer => (ulong)imm.Bits,
            ImmediateKind.Single => (uint)imm.Bits,
            ImmediateKind.Decimal when type.Size() == 4 => BitConverter.SingleToUInt32Bits((float)imm.Float),
            _ => (ulong)imm.Bits,
        };
        return type.Size() switch { 1 => (byte)bits, 2 => (ushort)bits, 4 => (uint)bits, _ => bits };
    }
}
