using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests.Quantization;

/// <summary>Matrices and what bitsandbytes 0.50.1 made of them: Data/nf4_cases.safetensors.</summary>
internal static class Nf4Cases
{
    private static readonly Dictionary<string, byte[]> Tensors = Load();

    public static IEnumerable<string> Names => Tensors.Keys.Where(key => key.EndsWith(".input", StringComparison.Ordinal)).Select(key => key[..^".input".Length]);

    public static byte[] Bytes(string name) => Tensors[name];

    public static float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Tensors[name]).ToArray();

    private static Dictionary<string, byte[]> Load()
    {
        byte[] file = File.ReadAllBytes(TestFiles.InRepository("tests", "PureSharpQLoRA.Core.Tests", "Data", "nf4_cases.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        Dictionary<string, byte[]> tensors = [];
        foreach (JsonProperty entry in json.RootElement.EnumerateObject())
        {
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            tensors.Add(entry.Name, file[(8 + header + offsets[0].GetInt32())..(8 + header + offsets[1].GetInt32())]);
        }

        return tensors;
    }
}
