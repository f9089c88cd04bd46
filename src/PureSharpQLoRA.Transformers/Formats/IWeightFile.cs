using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A file that weights are read from, whatever its format. Reading is thread-safe.</summary>
public interface IWeightFile : IDisposable
{
    /// <summary>The path it was opened by.</summary>
    string Path { get; }

    /// <summary>Reads elements of a floating-point tensor, converted to fp32.</summary>
    /// <param name="entry">A tensor of this file.</param>
    /// <param name="firstElement">Where to begin, counted in flat row-major order.</param>
    /// <param name="target">Filled entirely.</param>
    void ReadFloats(SafetensorsEntry entry, long firstElement, Span<float> target);

    /// <summary>Reads bytes of a tensor as its entry describes them.</summary>
    /// <param name="entry">A tensor of this file.</param>
    /// <param name="firstByte">Where to begin, counted from the tensor's first byte.</param>
    /// <param name="target">Filled entirely.</param>
    void ReadBytes(SafetensorsEntry entry, long firstByte, Span<byte> target);

    /// <summary>The file as tensor memory, where the tensor lies in it as its entry describes, else null.</summary>
    /// <param name="entry">A tensor of this file.</param>
    MappedFile? MapFor(SafetensorsEntry entry);
}
