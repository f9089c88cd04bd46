using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>State of a shared or local byte.</summary>
internal static class ByteState
{
    public const byte Unwritten = 0, Written = 1, AsyncPending = 2, Unaddressable = 3;
}

/// <summary>Last writer and readers of one shared byte, with the warps' logical clocks at that time.</summary>
internal struct RaceShadow
{
    public int WriteClock;
    public ushort WriteWarp;
    public bool WriteAtomic;
    public int ReadClock;
    public uint ReadMask;
}

/// <summary>
/// A block's shared memory with shadow state. Races are found with vector clocks: a barrier joins the clocks
/// of its participants, and two accesses of different warps race when neither clock has seen the other.
/// </summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    private readonly RaceShadow* races;
    private readonly int[,] clocks;
    private readonly int warps;

    public SharedMemory(int size, int warpCount, bool checkRaces)
    {
        Size = size;
        warps = warpCount;
        nuint length = (nuint)Math.Max(size, 16);
        Data = (byte*)NativeMemory.AlignedAlloc(length, 128);
        State = (byte*)NativeMemory.Alloc(length);
        if (checkRaces)
        {
            races = (RaceShadow*)NativeMemory.Alloc(length, (nuint)sizeof(RaceShadow));
        }

        clocks = new int[warpCount, warpCount];
    }

    public int Size { get; }
    public byte* Data { get; }
    public byte* State { get; }
    public bool ChecksRaces => races != null;

    /// <summary>Prepares for a new block: everything unwritten, gaps between variables unaddressable.</summary>
    public void Reset(IReadOnlyList<(int Offset, int Size)> variables)
    {
        new Span<byte>(Data, Size).Fill(0xFF);
        new Span<byte>(State, Size).Fill(ByteState.Unaddressable);
        foreach (var (offset, size) in variables)
        {
            new Span<byte>(State + offset, size).Clear();
        }

        if (races != null)
        {
            new Span<byte>(races, Size * sizeof(RaceShadow)).Clear();
        }

        Array.Clear(clocks);
        for (int w = 0; w < warps; w++)
        {
            clocks[w, w] = 1;
        }
    }

    /// <summary>Orders everything the participants did before a barrier ahead of what they do after it.</summary>
    public void Join(uint participants)
    {
        for (int c = 0; c < warps; c++)
        {
            int latest = 0;
            for (int w = 0; w < warps; w++)
            {
                if ((participants >> w & 1) != 0)
                {
                    latest = Math.Max(latest, clocks[w, c]);
                }
            }

            for (int w = 0; w < warps; w++)
            {
                if ((participants >> w & 1) != 0)
                {
                    clocks[w, c] = latest;
                }
            }
        }
        for (int w = 0; w < warps; w++)
        {
            if ((participants >> w & 1) != 0)
            {
                clocks[w, w]++;
            }
        }
    }

    /// <summary>Records a read; returns the warp it races with, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Read(int offset, int bytes, int warp)
    {
        int conflict = -1, clock = clocks[warp, warp];
        uint bit = 1u << warp;
        RaceShadow* s = races + offset;
        for (int i = 0; i < bytes; i++, s++)
        {
            if (s->WriteWarp != warp && s->WriteClock > clocks[warp, s->WriteWarp])
            {
                conflict = s->WriteWarp;
            }

            if (s->ReadClock != clock) { s->ReadClock = clock; s->ReadMask = 0; }
            s->ReadMask |= bit;
        }
        return conflict;
    }

    /// <summary>Records a write; returns the warp it races with, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Write(int offset, int bytes, int warp, bool atomic)
    {
        int conflict = -1, clock = clocks[warp, warp];
        uint own = 1u << warp;
        RaceShadow* s = races + offset;
        for (int i = 0; i < bytes; i++, s++)
        {
            if (s->WriteWarp != warp && s->WriteClock > clocks[warp, s->WriteWarp] && !(atomic && s->WriteAtomic))
            {
                conflict = s->WriteWarp;
            }

            uint readers = s->ReadMask & ~own;
            for (; readers != 0; readers &= readers - 1)
            {
                int reader = System.Numerics.BitOperations.TrailingZeroCount(readers);
                if (s->ReadClock > clocks[warp, reader])
                {
                    conflict = reader;
                }
            }
            s->WriteClock = clock;
            s->WriteWarp = (ushort)warp;
            s->WriteAtomic = atomic;
            s->ReadMask = 0;
        }
        return conflict;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Data);
        NativeMemory.Free(State);
        if (races != null)
        {
            NativeMemory.Free(races);
        }
    }
}
