using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    /// <summary>Whole and partial blocks, odd counts, addresses of slices; blocks of zeros, of tiny and of huge numbers, with infinity and NaN; ties.</summary>
    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void Quantized_weights_are_those_of_the_quantizer(DataType type)
    {
        foreach ((int rows, int columns, int firstRow) in new[] { (1, 1, 0), (1, 63, 0), (3, 192, 0), (5, 117, 0), (7, 83, 1), (2, 288, 1) })
        {
            int count = rows * columns;
            float[] values = [.. QuantizedValues(count).Select(value => ReferenceHalves.Round(value, type))];
            Tensor whole = Scope.Allocate(new Shape(firstRow + rows, columns), type);
            UploadAs([.. new float[firstRow * columns], .. values], whole);
            Tensor source = firstRow == 0 ? whole : Scope.Rows(whole, firstRow, rows);
            Tensor codes = Scope.Allocate(new Shape(rows, columns), DataType.Nf4);
            codes.AttachStatistics(new Nf4Statistics(Scope.Allocate(new Shape((int)Nf4Format.Blocks(count)))));

            Backend.QuantizeNf4(source, codes);

            var expected = new byte[Nf4Format.CodeBytes(count)];
            var maxima = new float[Nf4Format.Blocks(count)];
            Nf4Quantizer.Quantize(values, expected, maxima);
            var actual = new byte[expected.Length];
            Backend.Download(codes, actual);
            Assert.Equal(maxima, Backend.ToArray(codes.Quantization!.AbsoluteMaxima));
            Assert.Equal(expected, actual);
            Scope.Reset();
        }
    }

    /// <summary>Random numbers, with a block each of zeros, special cases and midpoints between levels.</summary>
    private float[] QuantizedValues(int count)
    {
        float[] values = [.. RandomValues(count, 0.1).Select(value => (float)value)];
        for (int i = 0; i < count; i++)
        {
            int at = i % 64;
            values[i] = (i / 64) switch
            {
                1 => 0,
                2 => at == 40 ? float.PositiveInfinity : values[i],
                3 => at == 63 ? float.NaN : values[i],
                4 => values[i] * 1e-38f,
                5 => 1e-40f,
                6 when at < 15 => (Nf4Format.Levels[at] + Nf4Format.Levels[at + 1]) / 2,
                6 => at == 20 ? 1 : BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits((Nf4Format.Levels[at % 15] + Nf4Format.Levels[(at % 15) + 1]) / 2) + at - 30),
                7 => values[i] * 1e38f,
                _ => values[i],
            };
        }

        return values;
    }

    private void UploadAs(float[] values, Tensor tensor)
    {
        if (tensor.DataType == DataType.Float32)
        {
            Backend.Upload(values, tensor);
            return;
        }

        bool brain = tensor.DataType == DataType.BFloat16;
        ushort[] bits = [.. values.Select(value => brain ? ReferenceHalves.ToBFloat16(value) : ReferenceHalves.ToFloat16(value))];
        Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), tensor);
    }
}
