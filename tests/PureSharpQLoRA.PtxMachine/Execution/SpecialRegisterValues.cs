namespace PureSharpQLoRA.PtxMachine;

/// <summary>Writes the special registers a function uses into its frame.</summary>
internal static unsafe class SpecialRegisterValues
{
    public static void Fill(Warp w, IReadOnlyDictionary<string, int> specials, byte* registers)
    {
        LaunchContext launch = w.Worker.Launch;
        foreach (var (name, slot) in specials)
        {
            if (name == "%gridid") { for (int i = 0; i < 32; i++) { ((ulong*)(registers + slot))[i] = 1; } continue; }
            uint* lanes = (uint*)(registers + slot);
            for (int i = 0; i < 32; i++)
            {
                lanes[i] = Value(name, i);
            }
        }

        uint Value(string name, int lane)
        {
            Dim3 block = w.Block.Index, size = launch.BlockSize, grid = launch.GridSize;
            int t = w.Id * 32 + lane;
            return (uint)(name switch
            {
                "%tid.x" => t % size.X,
                "%tid.y" => t / size.X % size.Y,
                "%tid.z" => t / (size.X * size.Y),
                "%ntid.x" => size.X,
                "%ntid.y" => size.Y,
                "%ntid.z" => size.Z,
                "%ctaid.x" => block.X,
                "%ctaid.y" => block.Y,
                "%ctaid.z" => block.Z,
                "%nctaid.x" => grid.X,
                "%nctaid.y" => grid.Y,
                "%nctaid.z" => grid.Z,
                "%laneid" => lane,
                "%warpid" => w.Id,
                "%nwarpid" => 64,
                "%nsmid" => 1,
                "%lanemask_eq" => 1 << lane,
                "%lanemask_lt" => (1 << lane) - 1,
                "%lanemask_le" => (1 << lane << 1) - 1,
                "%lanemask_gt" => ~((1 << lane << 1) - 1),
                "%lanemask_ge" => ~((1 << lane) - 1),
                "%dynamic_smem_size" => launch.DynamicSharedBytes,
                "%total_smem_size" => (int)(launch.Kernel.StaticSharedBytes + launch.DynamicSharedBytes),
                _ => 0,
            });
        }
    }
}
