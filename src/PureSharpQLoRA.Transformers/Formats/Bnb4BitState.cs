using System.Globalization;
using System.Text;
using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The JSON that bitsandbytes keeps beside a 4-bit weight.</summary>
/// <param name="Type">The type the weight had, and is decoded to.</param>
/// <param name="Shape">The extents of the weight, outermost first.</param>
/// <param name="NestedOffset">The mean of the absolute maxima where they are quantised, else null.</param>
internal sealed record Bnb4BitState(DataType Type, long[] Shape, float? NestedOffset)
{
    /// <summary>Writes it as Python's json.dumps does.</summary>
    public byte[] ToJson()
    {
        string type = Type switch
        {
            DataType.Float32 => "float32",
            DataType.Float16 => "float16",
            DataType.BFloat16 => "bfloat16",
            _ => throw new InvalidOperationException($"bitsandbytes does not quantise {Type}."),
        };
        var json = new StringBuilder();
        json.Append(CultureInfo.InvariantCulture, $"{{\"quant_type\": \"nf4\", \"blocksize\": {Nf4Format.BlockSize}, \"dtype\": \"{type}\", ");
        json.Append(CultureInfo.InvariantCulture, $"\"shape\": [{string.Join(", ", Shape)}]");
        if (NestedOffset is float offset)
        {
            json.Append(CultureInfo.InvariantCulture, $", \"nested_blocksize\": {Nf4Format.NestedBlockSize}, \"nested_dtype\": \"float32\", ");
            json.Append(CultureInfo.InvariantCulture, $"\"nested_offset\": {PythonFloat(offset)}");
        }

        return Encoding.UTF8.GetBytes(json.Append('}').ToString());
    }

    public static Bnb4BitState Read(string file, string weight, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            Require(root.GetProperty("quant_type").GetString() == "nf4", "quant_type", "nf4");
            Require(root.GetProperty("blocksize").GetInt32() == Nf4Format.BlockSize, "blocksize", "64");
            string? type = root.GetProperty("dtype").GetString();
            long[] shape = [.. root.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt64())];
            Require(shape.Length == 2 && shape.All(extent => extent is > 0 and <= int.MaxValue), "shape", "[outputs, inputs]");
            float? offset = null;
            if (root.TryGetProperty("nested_offset", out JsonElement nested))
            {
                offset = nested.GetSingle();
                Require(float.IsFinite(offset.Value), "nested_offset", "a finite number");
                Require(root.GetProperty("nested_blocksize").GetInt32() == Nf4Format.NestedBlockSize, "nested_blocksize", "256");
                Require(root.GetProperty("nested_dtype").GetString() == "float32", "nested_dtype", "float32");
            }

            return new Bnb4BitState(ParseType(type), shape, offset);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new WeightFormatException(file, $"its quant_state is not the JSON that bitsandbytes writes: {error.Message}", weight, inner: error);
        }

        void Require(bool holds, string field, string expected)
        {
            if (!holds)
            {
                throw new WeightFormatException(file, $"its quant_state has a '{field}' other than {expected}, which is not supported", weight);
            }
        }

        DataType ParseType(string? name) => name switch
        {
            "float32" => DataType.Float32,
            "float16" => DataType.Float16,
            "bfloat16" => DataType.BFloat16,
            _ => throw new WeightFormatException(file, $"its quant_state has the dtype '{name}'; known are float32, float16 and bfloat16", weight),
        };
    }

    /// <summary>The shortest digits that give the double again, in Python's notation: exponents below -4 and from 16 on are written.</summary>
    private static string PythonFloat(double value)
    {
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        int split = shortest.IndexOf('E', StringComparison.Ordinal);
        if (split >= 0)
        {
            int exponent = int.Parse(shortest.AsSpan(split + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            if (exponent is < -4 or >= 16)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{shortest[..split]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
            }

            shortest = decimal.Parse(shortest, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
        }

        return shortest.Contains('.', StringComparison.Ordinal) ? shortest : shortest + ".0";
    }
}
