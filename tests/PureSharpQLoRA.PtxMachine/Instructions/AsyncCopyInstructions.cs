using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>A cp.async that has been issued but not waited for.</summary>
internal readonly record struct AsyncCopy(int Lane, int Group, int Offset, int Bytes, ulong Low, ulong High, Instruction Source);

/// <summary>
/// cp.async (PTX ISA "Data Movement and Conversion: cp.async"): the source is read at issue, the target is poisoned,
/// and the data arrives when the issuing thread waits, so code that forgets to wait is found.
/// </summary>
internal sealed unsafe class AsyncCopyInstruction(AddressRef target, AddressRef source, int bytes, int sizeSlot, int ignoreSlot) : Instruction, IMemoryInstruction
{
    public AccessKind Access => AccessKind.Read;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        int* sizes = sizeSlot < 0 ? null : (int*)(w.Registers + sizeSlot);
        uint ignored = ignoreSlot < 0 ? 0 : *(uint*)(w.Registers + ignoreSlot);
        ulong* low = stackalloc ulong[32], high = stackalloc ulong[32];
        new Span<ulong>(low, 32).Clear();
        new Span<ulong>(high, 32).Clear();
        w.GatherAddresses(mask, source);
        ReadSources(w, mask & ~ignored, sizes, low, high);
        w.GatherAddresses(mask, target);
        SharedMemory shared = w.Block.Shared;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            int i = BitOperations.TrailingZeroCount(m);
            int offset = (int)w.SharedOffset(this, i, w.Addresses[i], bytes, AccessKind.Write, bytes);
            if (shared.ChecksRaces)
            {
                w.CheckRace(this, i, offset, bytes, AccessKind.Write);
            }

            Unsafe.InitBlock(shared.State + offset, ByteState.AsyncPending, (uint)bytes);
            Unsafe.InitBlock(shared.Data + offset, 0xFF, (uint)bytes);
            w.AddAsync(i, offset, bytes, low[i], high[i], this);
        }
        if (w.Worker.Launch.Options.CountMemoryTraffic)
        {
            TrafficCounter.Shared(ref w.Worker.Stats[Index], w.Addresses, mask, bytes);
        }
    }

    private void ReadSources(Warp w, uint mask, int* sizes, ulong* low, ulong* high)
    {
        byte* buffer = stackalloc byte[16];
        // lanes that copy fewer bytes are resolved apart, so that only what they read is checked
        for (uint rest = mask; rest != 0;)
        {
            int size = SizeOf(w, sizes, BitOperations.TrailingZeroCount(rest));
            uint same = 0;
            for (uint m = rest; m != 0; m &= m - 1)
            {
                int i = BitOperations.TrailingZeroCount(m);
                if (SizeOf(w, sizes, i) == size)
                {
                    same |= 1u << i;
                }
            }
            rest &= ~same;
            if (size == 0)
            {
                continue;
            }

            w.Resolve(this, same, source.Space, size, AccessKind.Read, bytes);
            for (uint m = same; m != 0; m &= m - 1)
            {
                int i = BitOperations.TrailingZeroCount(m);
                Unsafe.InitBlock(buffer, 0, 16);
                Buffer.MemoryCopy(w.Pointers[i], buffer, 16, size);
                low[i] = *(ulong*)buffer;
                high[i] = *(ulong*)(buffer + 8);
            }
        }
    }

    private int SizeOf(Warp w, int* sizes, int lane)
    {
        if (sizes == null)
        {
            return bytes;
        }

        int size = sizes[lane];
        return (uint)size <= (uint)bytes ? size : throw w.Fault(this, lane, $"cp.async source size {size} exceeds its copy size {bytes}");
    }
}

internal sealed class AsyncCommit : Instruction
{
    public override void Execute(Warp w, uint mask) => w.CommitAsync(mask);
}

/// <summary>cp.async.wait_group n, or wait_all for n &lt; 0.</summary>
internal sealed class AsyncWait(int keep) : Instruction
{
    public override void Execute(Warp w, uint mask) => w.WaitAsync(mask, keep);
}

internal sealed unsafe partial class Warp
{
    public void AddAsync(int lane, int offset, int bytes, ulong low, ulong high, Instruction source) =>
        asyncCopies.Add(new AsyncCopy(lane, asyncGroups[lane], offset, bytes, low, high, source));

    public void CommitAsync(uint mask)
    {
        for (; mask != 0; mask &= mask - 1)
        {
            asyncGroups[BitOperations.TrailingZeroCount(mask)]++;
        }
    }

    /// <summary>Completes each lane's copies except its newest <paramref name="keep"/> groups.</summary>
    public void WaitAsync(uint mask, int keep)
    {
        if (keep < 0)
        {
            CommitAsync(mask);
        }

        int kept = 0;
        byte* buffer = stackalloc byte[16];
        SharedMemory shared = Block.Shared;
        for (int k = 0; k < asyncCopies.Count; k++)
        {
            AsyncCopy copy = asyncCopies[k];
            if ((mask >> copy.Lane & 1) == 0 || copy.Group >= asyncGroups[copy.Lane] - Math.Max(keep, 0))
            {
                asyncCopies[kept++] = copy;
                continue;
            }
            *(ulong*)buffer = copy.Low;
            *(ulong*)(buffer + 8) = copy.High;
            if (shared.ChecksRaces)
            {
                CheckRace(copy.Source, copy.Lane, copy.Offset, copy.Bytes, AccessKind.Write);
            }

            Buffer.MemoryCopy(buffer, shared.Data + copy.Offset, 16, copy.Bytes);
            Unsafe.InitBlock(shared.State + copy.Offset, ByteState.Written, (uint)copy.Bytes);
        }
        asyncCopies.RemoveRange(kept, asyncCopies.Count - kept);
    }
}
