using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// A safetensors file, opened for reading. Only the header is loaded; tensors are read piece by piece into the caller's memory, or mapped.
/// Reading is thread-safe.
/// </summary>
public sealed class SafetensorsFile : IWeightFile
{
    private const int ChunkBytes = 1 << 18;

    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, SafetensorsEntry> _entries;
    private readonly Lock _mapLock = new();
    private MappedFile? _mapped;

    private SafetensorsFile(string path, SafeFileHandle handle, Dictionary<string, SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        (Path, _handle, _entries, Metadata) = (path, handle, entries, metadata);
    }

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _entries;

    /// <summary>The strings under `__metadata__`.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against its size.</summary>
    /// <exception cref="WeightFormatException">There is no such file, or it is no valid safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        SafeFileHandle handle = FileBytes.Open(path);
        try
        {
            (Dictionary<string, SafetensorsEntry> entries, Dictionary<string, string> metadata) = SafetensorsHeader.Read(path, handle);
            return new SafetensorsFile(path, handle, entries, metadata);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="WeightFormatException">The file has none.</exception>
    public SafetensorsEntry Find(string name) =>
        _entries.TryGetValue(name, out SafetensorsEntry? entry) ? entry : throw new WeightFormatException(Path, "the file has no such tensor", name);

    /// <summary>Reads bytes of a tensor as they are stored.</summary>
    /// <param name="entry">A tensor of this file.</param>
    /// <param name="firstByte">Where to begin, counted from the tensor's first byte.</param>
    /// <param name="target">Filled entirely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    /// <exception cref="WeightFormatException">The file was shortened after it was opened.</exception>
    public void ReadBytes(SafetensorsEntry entry, long firstByte, Span<byte> target)
    {
        ArgumentNullException.ThrowIfNull(entry);
        CheckRange(entry, firstByte, target.Length, entry.Bytes, "bytes");
        FileBytes.ReadExactly(Path, _handle, target, entry.Offset + firstByte, entry.Name);
    }

    /// <summary>Reads elements of a floating-point tensor, converted to fp32.</summary>
    /// <param name="entry">A tensor of this file, F32, F16, BF16 or F64.</param>
    /// <param name="firstElement">Where to begin, counted in flat row-major order.</param>
    /// <param name="target">Filled entirely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    /// <exception cref="WeightFormatException">The tensor holds no floating-point numbers, or the file was shortened after it was opened.</exception>
    public void ReadFloats(SafetensorsEntry entry, long firstElement, Span<float> target)
    {
        ArgumentNullException.ThrowIfNull(entry);
        CheckRange(entry, firstElement, target.Length, entry.Count, "elements");
        if (entry.Type == SafetensorsType.Float32)
        {
            FileBytes.ReadExactly(Path, _handle, MemoryMarshal.AsBytes(target), entry.Offset + (firstElement * sizeof(float)), entry.Name);
            return;
        }

        if (entry.Type is not (SafetensorsType.Float16 or SafetensorsType.BFloat16 or SafetensorsType.Float64))
        {
            throw new WeightFormatException(Path, $"it holds {entry.Type.HeaderName()}, where floating-point numbers were expected", entry.Name);
        }

        int elementBytes = entry.Type.ElementBytes();
        byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int step = ChunkBytes / elementBytes;
            for (int done = 0; done < target.Length; done += step)
            {
                Span<float> part = target.Slice(done, Math.Min(step, target.Length - done));
                Span<byte> bytes = chunk.AsSpan(0, part.Length * elementBytes);
                FileBytes.ReadExactly(Path, _handle, bytes, entry.Offset + ((firstElement + done) * elementBytes), entry.Name);
                Convert(entry.Type, bytes, part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>The whole file as tensor memory (an entry begins at <see cref="SafetensorsEntry.Offset"/>); mapped on the first call, alive until this object is disposed and no tensor holds it.</summary>
    /// <exception cref="IOException">The file cannot be mapped.</exception>
    public MappedFile Map()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        lock (_mapLock)
        {
            return _mapped ??= MappedFile.Open(Path);
        }
    }

    /// <inheritdoc/>
    public MappedFile? MapFor(SafetensorsEntry entry) => Map();

    /// <inheritdoc/>
    public void Dispose()
    {
        _handle.Dispose();
        _mapped?.Dispose();
    }

    private static void Convert(SafetensorsType type, ReadOnlySpan<byte> bytes, Span<float> target)
    {
        switch (type)
        {
            case SafetensorsType.BFloat16:
                HalfPrecisionConvert.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), target);
                break;
            case SafetensorsType.Float16:
                HalfPrecisionConvert.FromFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), target);
                break;
            default:
                ReadOnlySpan<double> doubles = MemoryMarshal.Cast<byte, double>(bytes);
                for (int i = 0; i < target.Length; i++)
                {
                    target[i] = (float)doubles[i];
                }

                break;
        }
    }

    private static void CheckRange(SafetensorsEntry entry, long first, int count, long available, string unit)
    {
        if (first < 0 || first > available - count)
        {
            throw new ArgumentOutOfRangeException(
                nameof(first), first, $"The tensor '{entry.Name}' has {available} {unit}; [{first}, {first + count}) is outside.");
        }
    }
}
