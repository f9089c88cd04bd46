using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Traffic of one warp-wide access: distinct 32-byte sectors of global memory, and passes ("wavefronts") over the
/// 32 four-byte banks of shared memory. 8- and 16-byte accesses are split into half- and quarter-warps.
/// </summary>
internal static unsafe class TrafficCounter
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Global(ref InstructionStats stats, ulong* addresses, uint mask, int bytes)
    {
        ulong* sectors = stackalloc ulong[64];
        int count = 0;
        ulong low = ulong.MaxValue, high = 0;
        for (uint m = mask; m != 0; m &= m - 1)
        {
            ulong address = addresses[BitOperations.TrailingZeroCount(m)];
            low = Math.Min(low, address);
            high = Math.Max(high, address + (ulong)bytes);
            for (ulong s = address >> 5, end = (address + (ulong)bytes - 1) >> 5; s <= end; s++)
            {
                int k = count - 1;
                while (k >= 0 && sectors[k] != s)
                {
                    k--;
                }

                if (k < 0 && count < 64)
                {
                    sectors[count++] = s;
                }
            }
        }
        int lanes = BitOperations.PopCount(mask);
        stats.GlobalBytes += lanes * bytes;
        stats.GlobalSectors += count;
        // the fewest sectors these bytes could need: all lanes side by side, or one range they share
        stats.GlobalIdealSectors += (int)Math.Min((ulong)((lanes * bytes + 31) / 32), (high - low + 31) / 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Shared(ref InstructionStats stats, ulong* addresses, uint mask, int bytes)
    {
        int lanesPerPhase = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
        uint phaseMask = lanesPerPhase == 32 ? uint.MaxValue : (1u << lanesPerPhase) - 1;
        stats.SharedAccesses++;
        stats.SharedBytes += BitOperations.PopCount(mask) * bytes;
        for (int first = 0; first < 32; first += lanesPerPhase)
        {
            uint lanes = mask & phaseMask << first;
            if (lanes == 0)
            {
                continue;
            }

            stats.SharedIdealWavefronts++;
            stats.SharedWavefronts += Wavefronts(addresses, lanes, Math.Max(bytes / 4, 1));
        }
    }

    /// <summary>The largest number of distinct words any bank must serve.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Wavefronts(ulong* addresses, uint lanes, int words)
    {
        uint* seen = stackalloc uint[32 * 32];
        byte* counts = stackalloc byte[32];
        new Span<byte>(counts, 32).Clear();
        int worst = 1;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            uint word = (uint)(addresses[BitOperations.TrailingZeroCount(lanes)] >> 2);
            for (int k = 0; k < words; k++, word++)
            {
                int bank = (int)(word & 31), n = counts[bank];
                uint* list = seen + bank * 32;
                int j = n - 1;
                while (j >= 0 && list[j] != word)
                {
                    j--;
                }

                if (j >= 0 || n == 32)
                {
                    continue;
                }

                list[n] = word;
                counts[bank] = (byte)(n + 1);
                if (n + 1 > worst)
                {
                    worst = n + 1;
                }
            }
        }
        return worst;
    }
}
