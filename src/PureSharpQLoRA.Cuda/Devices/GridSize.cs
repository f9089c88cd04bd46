namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>Blocks of a launch in each direction, each at least one; Y and Z at most 65,535.</summary>
public readonly record struct GridSize(int X, int Y = 1, int Z = 1)
{
    /// <summary>As many blocks as hold <paramref name="items"/> items of <paramref name="perBlock"/> each.</summary>
    public static GridSize Covering(long items, int perBlock) => new(checked((int)((items + perBlock - 1) / perBlock)));
}
