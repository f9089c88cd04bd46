using System.Runtime.InteropServices;
using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>Tensors of a small safetensors file in this project's Data folder.</summary>
internal sealed class RecordedTensors(byte[] file, JsonDocument header, int start)
{
    public static RecordedTensors Read(string name)
    {
        byte[] file = File.ReadAllBytes(TestFiles.InRepository("tests", "PureSharpQLoRA.Cuda.Tests", "Data", name));
        int length = BitConverter.ToInt32(file, 0);
        return new RecordedTensors(file, JsonDocument.Parse(file.AsMemory(8, length)), 8 + length);
    }

    public T[] Get<T>(string name)
        where T : unmanaged
    {
        JsonElement range = header.RootElement.GetProperty(name).GetProperty("data_offsets");
        return MemoryMarshal.Cast<byte, T>(file.AsSpan((start + range[0].GetInt32())..(start + range[1].GetInt32()))).ToArray();
    }
}
