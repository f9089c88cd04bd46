using System.Runtime.InteropServices;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

/// <summary>All matrices that bitsandbytes 0.50.1 quantised, in all three dtypes.</summary>
public sealed class Nf4ReferenceTests
{
    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16")]
    [InlineData("bf16")]
    public void Codes_statistics_and_decoded_values_match_bitsandbytes(string type)
    {
        string path = TestFiles.InReference("reference", "nf4", $"nf4_small_{type}.safetensors") ?? Skip();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        int cases = 0;
        foreach (string name in file.Entries.Keys.Where(key => key.EndsWith(".input", StringComparison.Ordinal)).Select(key => key[..^6]))
        {
            cases++;
            float[] values = Floats(file, $"{name}.input");
            var codes = new byte[Nf4Format.CodeBytes(values.Length)];
            var absmax = new float[Nf4Format.Blocks(values.Length)];
            Nf4Quantizer.Quantize(values, codes, absmax);
            Equal(Floats(file, $"{name}.plain.absmax"), absmax, name);
            Assert.Equal(Bytes(file, $"{name}.plain.codes"), codes);
            Assert.Equal(Bytes(file, $"{name}.dq.codes"), codes);

            var decoded = new float[values.Length];
            Nf4Quantizer.Dequantize(codes, absmax, decoded);
            CheckDecoded(file, $"{name}.plain", decoded);

            var nested = new float[Nf4Format.NestedBlocks(absmax.Length)];
            var nestedCodes = new byte[absmax.Length];
            float offset = DoubleQuantizer.Quantize(absmax, nestedCodes, nested);
            Equal(Floats(file, $"{name}.dq.offset"), [offset], name);
            Equal(Floats(file, $"{name}.dq.nested_absmax"), nested, name);
            byte[] theirCodes = Bytes(file, $"{name}.dq.absmax_u8");
            Assert.True(theirCodes.AsSpan().SequenceEqual(nestedCodes), $"{name}: 8-bit codes {string.Join(' ', nestedCodes)} instead of {string.Join(' ', theirCodes)}");

            DoubleQuantizer.Dequantize(theirCodes, DoubleQuantizer.Map, nested, offset, absmax);
            Equal(Floats(file, $"{name}.dq.absmax_reconstructed"), absmax, name);
            Nf4Quantizer.Dequantize(codes, absmax, decoded);
            CheckDecoded(file, $"{name}.dq", decoded);
        }

        Assert.True(cases >= 24, $"only {cases} cases");
    }

    /// <summary>bitsandbytes' own decoding is wrong on some CPUs where a row is no multiple of 64; its formula is the judge there.</summary>
    private static void CheckDecoded(SafetensorsFile file, string name, float[] decoded)
    {
        Equal(Floats(file, $"{name}.dequant_formula_f32"), decoded, name);
        if (name.StartsWith("row_not_multiple", StringComparison.Ordinal))
        {
            return;
        }

        Equal(Floats(file, $"{name}.dequant_f32"), decoded, name);
        SafetensorsEntry narrow = file.Find($"{name}.dequant");
        var bits = new ushort[decoded.Length];
        if (narrow.Type == SafetensorsType.BFloat16)
        {
            HalfPrecisionConvert.ToBFloat16(decoded, bits);
            Assert.Equal(MemoryMarshal.Cast<byte, ushort>(Bytes(file, narrow.Name)).ToArray(), bits);
        }
        else if (narrow.Type == SafetensorsType.Float16)
        {
            HalfPrecisionConvert.ToFloat16(decoded, bits);
            Assert.Equal(MemoryMarshal.Cast<byte, ushort>(Bytes(file, narrow.Name)).ToArray(), bits);
        }
    }

    private static void Equal(float[] expected, float[] actual, string name) =>
        Assert.True(
            MemoryMarshal.AsBytes(expected.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(actual.AsSpan())),
            $"{name}: [{string.Join(", ", actual.Take(8))}...] instead of [{string.Join(", ", expected.Take(8))}...]");

    private static float[] Floats(SafetensorsFile file, string name)
    {
        var values = new float[file.Find(name).Count];
        file.ReadFloats(file.Find(name), 0, values);
        return values;
    }

    private static byte[] Bytes(SafetensorsFile file, string name)
    {
        var bytes = new byte[file.Find(name).Bytes];
        file.ReadBytes(file.Find(name), 0, bytes);
        return bytes;
    }

    private static string Skip()
    {
        Assert.Skip("The reference figures are not beside the repository.");
        return "";
    }
}
