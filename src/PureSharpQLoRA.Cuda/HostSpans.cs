using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cuda;

/// <summary>What a span of integers from the host is for; each kind has a place of its own on the device.</summary>
internal enum HostSpanKind
{
    /// <summary>Where documents begin.</summary>
    Starts,

    /// <summary>Positions of tokens.</summary>
    Positions,

    /// <summary>Ids to predict.</summary>
    Labels,

    /// <summary>Where the pieces of all gradients lie.</summary>
    Gradients,

    /// <summary>The bits of the values that 8-bit codes stand for.</summary>
    QuantileMaps,

    /// <summary>Which tile of which document's queries a block works on.</summary>
    QueryTiles,

    /// <summary>The same for keys.</summary>
    KeyTiles,
}

/// <summary>Copies of small spans of integers on the device. A span equal to the last of its kind is not copied again: all layers share one.</summary>
internal sealed class HostSpans(MemoryPool memory, IKernelDevice device) : IDisposable
{
    private readonly Slot[] _slots = [.. Enum.GetValues<HostSpanKind>().Select(_ => new Slot())];

    /// <summary>Where the span lies on the device, until the next of its kind is asked for.</summary>
    public nint Upload(HostSpanKind kind, ReadOnlySpan<int> values)
    {
        Slot slot = _slots[(int)kind];
        if (slot.Buffer is not null && values.SequenceEqual(slot.Values.AsSpan(0, slot.Length)))
        {
            return slot.Buffer.Address;
        }

        if (slot.Values.Length < values.Length || slot.Buffer is null)
        {
            slot.Buffer?.Release();
            slot.Values = new int[Math.Max(values.Length, 64)];
            slot.Buffer = memory.Rent(sizeof(int) * (long)slot.Values.Length, MemoryPurpose.Workspace);
        }

        values.CopyTo(slot.Values);
        slot.Length = values.Length;
        device.CopyToDevice(MemoryMarshal.AsBytes(values), slot.Buffer.Address);
        return slot.Buffer.Address;
    }

    public void Dispose()
    {
        foreach (Slot slot in _slots)
        {
            slot.Buffer?.Release();
            slot.Buffer = null;
        }
    }

    private sealed class Slot
    {
        public int[] Values { get; set; } = [];

        public int Length { get; set; }

        public DeviceBuffer? Buffer { get; set; }
    }
}
