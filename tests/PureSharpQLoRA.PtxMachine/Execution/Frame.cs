using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Activation of a kernel or function for one warp: its registers and the groups of lanes that have diverged.
/// The running group's counter and mask live in the scheduler loop; the others wait here.
/// </summary>
internal sealed unsafe class Frame
{
    private readonly int[] pcs = new int[32];
    private readonly uint[] masks = new uint[32];
    private readonly uint[] needs = new uint[32];

    public Frame(PtxFunction function)
    {
        Function = function;
        Registers = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(function.FrameTemplate.Length, 32), 64);
    }

    public PtxFunction Function { get; }
    public byte* Registers { get; }
    public int Pc { get; set; }
    public uint Active { get; set; }
    /// <summary>Lanes that entered and have not returned.</summary>
    public uint Members { get; set; }
    /// <summary>Lanes that made the call.</summary>
    public uint Entered { get; private set; }
    public CallInstruction? Call { get; set; }
    public uint LocalBase { get; set; }
    public int GroupCount { get; private set; }
    /// <summary>Lowest counter of the groups able to run.</summary>
    public int NextPending { get; private set; } = int.MaxValue;

    public void Enter(int pc, uint mask)
    {
        Pc = pc;
        Active = Members = Entered = mask;
        GroupCount = 0;
        NextPending = int.MaxValue;
        Function.FrameTemplate.AsSpan().CopyTo(new Span<byte>(Registers, Function.FrameTemplate.Length));
    }

    /// <summary>Adds a waiting group; <paramref name="need"/> non-zero blocks it until those lanes arrive at the same counter.</summary>
    public void Add(int pc, uint mask, uint need)
    {
        for (int k = 0; k < GroupCount; k++)
        {
            if (pcs[k] == pc && (needs[k] == 0) == (need == 0))
            {
                masks[k] |= mask;
                needs[k] |= need;
                return;
            }
        }

        pcs[GroupCount] = pc;
        masks[GroupCount] = mask;
        needs[GroupCount++] = need;
        if (need == 0)
        {
            NextPending = Math.Min(NextPending, pc);
        }
    }

    /// <summary>Takes every group waiting at a counter.</summary>
    public uint Merge(int pc)
    {
        uint mask = 0;
        for (int k = GroupCount - 1; k >= 0; k--)
        {
            if (pcs[k] == pc) { mask |= masks[k]; Remove(k); }
        }

        return mask;
    }

    /// <summary>
    /// Chooses the group to run next: the lowest counter (which reconverges structured code), or the highest where
    /// fairness asks for it; then a blocked group whose missing lanes have exited. False: nothing can run.
    /// </summary>
    public bool Pick(uint live, bool highest, out int pc, out uint mask)
    {
        int best = -1;
        for (int k = 0; k < GroupCount; k++)
        {
            if (needs[k] == 0 && (best < 0 || highest == pcs[k] > pcs[best]))
            {
                best = k;
            }
        }

        for (int k = 0; best < 0 && k < GroupCount; k++)
        {
            if ((needs[k] & live & ~masks[k]) == 0)
            {
                best = k;
            }
        }

        if (best < 0) { pc = 0; mask = 0; return false; }
        pc = pcs[best];
        mask = masks[best];
        Remove(best);
        if (highest)
        {
            NextPending = int.MaxValue;
        }

        return true;
    }

    /// <summary>Makes a fairness slice end: the lowest pending counter counts again.</summary>
    public void RefreshPending()
    {
        NextPending = int.MaxValue;
        for (int k = 0; k < GroupCount; k++)
        {
            if (needs[k] == 0)
            {
                NextPending = Math.Min(NextPending, pcs[k]);
            }
        }
    }

    public (int Pc, uint Mask) Group(int k) => (pcs[k], masks[k]);

    private void Remove(int k)
    {
        GroupCount--;
        pcs[k] = pcs[GroupCount];
        masks[k] = masks[GroupCount];
        needs[k] = needs[GroupCount];
        RefreshPending();
    }
}
