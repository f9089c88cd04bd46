namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Assigns byte offsets in a function's frame: registers (32 lanes wide), predicates (one mask word),
/// broadcast constants, special registers and per-lane parameter storage.
/// </summary>
internal sealed class FrameLayout
{
    private readonly Dictionary<(ulong Bits, int Width), int> constants = [];
    private readonly Dictionary<string, int> specials = [];
    private readonly List<(int Slot, ulong Bits, int Width)> constantList = [];

    public int Size { get; private set; }

    public IReadOnlyList<(int Slot, ulong Bits, int Width)> Constants => constantList;

    public IReadOnlyDictionary<string, int> Specials => specials;

    public int AllocateRegister(ScalarType type) =>
        type == ScalarType.Pred ? Allocate(4, 4) : Allocate(32 * type.SlotWidth(), 32);

    public int AllocateParam(int laneStride) => Allocate(32 * laneStride, 32);

    public int Constant(ulong bits, int width)
    {
        if (!constants.TryGetValue((bits, width), out int slot))
        {
            slot = Allocate(32 * width, 32);
            constants.Add((bits, width), slot);
            constantList.Add((slot, bits, width));
        }
        return slot;
    }

    public int Special(string name, int width)
    {
        if (!specials.TryGetValue(name, out int slot))
        {
            slot = Allocate(32 * width, 32);
            specials.Add(name, slot);
        }
        return slot;
    }

    private int Allocate(int bytes, int alignment)
    {
        int slot = (Size + alignment - 1) / alignment * alignment;
        Size = slot + bytes;
        return slot;
    }
}
