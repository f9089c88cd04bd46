namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>One call: operands, sizes, and where each document lies in them. The object is used again call after call.</summary>
internal sealed unsafe class AttentionPlan
{
    private int[] _starts = [];
    private int[] _packedRows = [];

    public AttentionOperands Operands { get; private set; }

    public AttentionShape Shape { get; private set; }

    public int Documents { get; private set; }

    public int Past { get; private set; }

    /// <summary>The head size in whole vectors.</summary>
    public int Width { get; private set; }

    /// <summary>Query heads per key head.</summary>
    public int Group { get; private set; }

    public int Tokens => _starts[Documents];

    /// <summary>Floats that <see cref="PackedKeys"/> needs; the values as many.</summary>
    public long PackedFloats => (long)Shape.KeyValueHeads * _packedRows[Documents] * Width;

    /// <summary>Dense copies of the keys and values: [key heads][rows][<see cref="Width"/>], each document beginning at a row divisible by 16.</summary>
    public float* PackedKeys { get; set; }

    public float* PackedValues { get; set; }

    public void Set(in AttentionOperands operands, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        (Operands, Shape, Documents, Past) = (operands, shape, starts.Length - 1, past);
        Width = Packing.RoundUp(shape.HeadSize, VectorParts.Lanes);
        Group = shape.Heads / shape.KeyValueHeads;
        if (_starts.Length < starts.Length)
        {
            _starts = new int[Math.Max(starts.Length, 2 * _starts.Length)];
            _packedRows = new int[_starts.Length];
        }

        starts.CopyTo(_starts);
        _packedRows[0] = 0;
        for (int document = 0; document < Documents; document++)
        {
            _packedRows[document + 1] = _packedRows[document] + Packing.RoundUp(past + Length(document), Packing.RowUnit);
        }
    }

    public int Start(int document) => _starts[document];

    public int Length(int document) => _starts[document + 1] - _starts[document];

    public QueryBlock Block(int document, int block) =>
        new(block * QueryBlock.Lanes, Length(document), Past, Shape.SlidingWindow);

    public int Blocks(int document) => (Length(document) + QueryBlock.Lanes - 1) / QueryBlock.Lanes;

    /// <summary>Row <paramref name="key"/> of a document in one of the packed copies.</summary>
    public float* Packed(float* copies, int document, int keyHead, int key) =>
        copies + ((long)keyHead * _packedRows[Documents] + _packedRows[document] + key) * Width;

    /// <summary>The element of a query-like matrix at a document's row and a head.</summary>
    public float* QueryRow(float* matrix, int document, int row, int head) =>
        matrix + (long)(_starts[document] + row) * Shape.QueryWidth + head * Shape.HeadSize;

    /// <summary>The element of a key-like matrix at a document's row and a key head.</summary>
    public float* KeyRow(float* matrix, int document, int row, int keyHead) =>
        matrix + (long)(_starts[document] + row) * Shape.KeyWidth + keyHead * Shape.HeadSize;
}
