namespace PureSharpQLoRA.Cuda.Intrinsics;

/// <summary>Sixteen bytes: eight 16-bit floats in memory, or a lane's part of a 16x16 operand of mma.</summary>
internal struct U4
{
    public uint X, Y, Z, W;
}

/// <summary>Eight bytes.</summary>
internal struct U2
{
    public uint X, Y;
}

/// <summary>A lane's part of a 16x8 fp32 accumulator: X, Y in row lane/4 and Z, W in row lane/4 + 8, columns 2(lane%4) and the next.</summary>
internal struct F4
{
    public float X, Y, Z, W;
}

/// <summary>Two floats read at once.</summary>
internal struct F2
{
    public float X, Y;
}
