using System.Globalization;
using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Writes the weights of a model as a stream, into `model.safetensors` or, where that would be too large, into shards and the index that names them.
/// Files appear under their names only when <see cref="Complete"/> succeeded, the index last.
/// </summary>
public sealed class ShardedSafetensorsWriter : IDisposable
{
    /// <summary>The largest shard that Hugging Face writes unless told otherwise.</summary>
    public const long DefaultMaxShardBytes = 5_000_000_000;

    private readonly string _folder;
    private readonly List<SafetensorsWriter> _shards = [];
    private readonly Dictionary<string, SafetensorsWriter> _shardOf = new(StringComparer.Ordinal);
    private readonly string? _index;

    /// <summary>Begins all files.</summary>
    /// <param name="folder">Created where it is missing.</param>
    /// <param name="tensors">Every tensor, in the order in which they are dealt out to shards.</param>
    /// <param name="maxShardBytes">A shard takes no more, unless a single tensor does.</param>
    /// <exception cref="ArgumentException">A name appears twice or is reserved.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public ShardedSafetensorsWriter(string folder, IEnumerable<SafetensorsDeclaration> tensors, long maxShardBytes = DefaultMaxShardBytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxShardBytes, 1);
        _folder = folder;
        List<List<SafetensorsDeclaration>> shards = Deal(tensors, maxShardBytes);
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };
        try
        {
            for (int i = 0; i < shards.Count; i++)
            {
                var writer = new SafetensorsWriter(Path.Combine(folder, FileName(i, shards.Count)), shards[i], metadata);
                _shards.Add(writer);
                foreach (SafetensorsDeclaration tensor in shards[i])
                {
                    _shardOf.Add(tensor.Name, writer);
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        _index = shards.Count == 1 ? null : Index(shards);
    }

    /// <summary>The number of files that hold weights.</summary>
    public int Shards => _shards.Count;

    /// <summary>Appends bytes to a tensor. Different tensors may be written by different threads.</summary>
    /// <exception cref="ArgumentException">The tensor was not declared, or is full.</exception>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(string tensor, ReadOnlySpan<byte> bytes)
    {
        if (!_shardOf.TryGetValue(tensor, out SafetensorsWriter? shard))
        {
            throw new ArgumentException($"{_folder}: the tensor '{tensor}' was not declared.", nameof(tensor));
        }

        shard.Write(tensor, bytes);
    }

    /// <summary>Brings all files to the disk and gives them their names.</summary>
    /// <exception cref="InvalidOperationException">Bytes of a tensor are missing.</exception>
    public void Complete()
    {
        foreach (SafetensorsWriter shard in _shards)
        {
            shard.Complete();
        }

        if (_index is not null)
        {
            AtomicFile.WriteText(Path.Combine(_folder, CheckpointReader.IndexFileName), _index);
        }
    }

    /// <summary>Ends writing; without <see cref="Complete"/>, nothing remains.</summary>
    public void Dispose()
    {
        foreach (SafetensorsWriter shard in _shards)
        {
            shard.Dispose();
        }
    }

    private static List<List<SafetensorsDeclaration>> Deal(IEnumerable<SafetensorsDeclaration> tensors, long maxShardBytes)
    {
        List<List<SafetensorsDeclaration>> shards = [[]];
        long filled = 0;
        foreach (SafetensorsDeclaration tensor in tensors)
        {
            if (shards[^1].Count > 0 && filled + tensor.Bytes > maxShardBytes)
            {
                shards.Add([]);
                filled = 0;
            }

            shards[^1].Add(tensor);
            filled += tensor.Bytes;
        }

        return shards;
    }

    private static string FileName(int shard, int shards) => shards == 1
        ? CheckpointReader.SingleFileName
        : string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:D5}-of-{shards:D5}.safetensors");

    private static string Index(List<List<SafetensorsDeclaration>> shards)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", shards.Sum(shard => shard.Sum(tensor => tensor.Bytes)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            for (int i = 0; i < shards.Count; i++)
            {
                foreach (SafetensorsDeclaration tensor in shards[i])
                {
                    json.WriteString(tensor.Name, FileName(i, shards.Count));
                }
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }
}
