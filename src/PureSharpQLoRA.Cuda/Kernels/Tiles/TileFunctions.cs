namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>A function of each 16x16 tile of an accumulator row and of the tile's first column.</summary>
internal interface ITileMap<TSelf>
    where TSelf : struct, ITileMap<TSelf>
{
    static abstract Tile Apply(TSelf map, Tile tile, int column);
}

/// <summary>A function of two tiles at the same place.</summary>
internal interface ITileZip<TSelf>
    where TSelf : struct, ITileZip<TSelf>
{
    static abstract Tile Apply(TSelf zip, Tile a, Tile b, int column);
}

/// <summary>A state folded over the tiles of an accumulator row, from left to right.</summary>
internal interface ITileFold<TSelf>
    where TSelf : struct, ITileFold<TSelf>
{
    static abstract TSelf Add(TSelf state, Tile tile, int column);
}
