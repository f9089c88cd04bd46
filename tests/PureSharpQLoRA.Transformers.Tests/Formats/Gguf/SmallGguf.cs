using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats.Gguf;

/// <summary>A GGUF file with a key of every kind that is written and a tensor of every type.</summary>
internal static class SmallGguf
{
    public static readonly GgufDeclaration[] Tensors =
    [
        new("a.weight", GgufTensorType.Float32, 3, 5),
        new("b.weight", GgufTensorType.Q80, 3, 64),
        new("c.weight", GgufTensorType.Q40, 4, 32),
        new("d.weight", GgufTensorType.Float16, 7),
        new("e.weight", GgufTensorType.BFloat16, 2, 3, 2),
    ];

    public static float[] Values(GgufDeclaration tensor)
    {
        var random = new Random(tensor.Name[0]);
        return [.. Enumerable.Range(0, (int)tensor.Count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    public static byte[] Bytes(GgufDeclaration tensor)
    {
        var bytes = new byte[tensor.Bytes];
        GgufCodec.Encode(tensor.Type, Values(tensor), bytes);
        return bytes;
    }

    public static void Write(string path)
    {
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", "llama");
        metadata.Add("number", 7u);
        metadata.Add("fraction", 0.5f);
        metadata.Add("flag", true);
        metadata.Add("texts", ["one", "zwei", "三"]);
        metadata.Add("scores", [1f, -2f]);
        metadata.Add("types", [1, -3, 6]);
        using var writer = new GgufWriter(path, metadata, Tensors);
        foreach (GgufDeclaration tensor in Tensors.Reverse())
        {
            byte[] bytes = Bytes(tensor);
            writer.Write(tensor.Name, bytes.AsSpan(0, bytes.Length / 2));
            writer.Write(tensor.Name, bytes.AsSpan(bytes.Length / 2));
        }

        writer.Complete();
    }

    /// <summary>Reads everything there is in a file.</summary>
    public static void ReadAll(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        foreach ((string key, GgufValue value) in file.Metadata)
        {
            if (value.ElementType == GgufValueType.Text)
            {
                file.ReadTexts(key);
            }
            else if (value.ElementType is not (null or GgufValueType.Bool))
            {
                file.ReadNumbers(key);
            }
        }

        foreach (GgufEntry entry in file.Entries.Values)
        {
            if (entry.Type.IsSupported())
            {
                file.ReadFloats(entry, 0, new float[entry.Count]);
            }
        }
    }
}
