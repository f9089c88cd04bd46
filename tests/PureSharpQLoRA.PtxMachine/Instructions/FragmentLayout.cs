namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Which matrix element each lane's i-th fragment element holds (PTX ISA "Matrix Fragments for mma.m8n8k4 ..
/// mma.m16n8k32"). Tables are indexed [lane * count + i]; A is row-major M x K, B is stored N x K, C is M x N.
/// </summary>
internal sealed class FragmentLayout
{
    private FragmentLayout(int m, int n, int k, int aCount, int bCount, Func<int, int, (int Row, int Col)> a, Func<int, int, (int Row, int Col)> b)
    {
        (M, N, K) = (m, n, k);
        A = Table(aCount, (lane, i) => { var (row, col) = a(lane, i); return row * k + col; });
        B = Table(bCount, (lane, i) => { var (row, col) = b(lane, i); return col * k + row; });
        CCount = m * n / 32;
        C = Table(CCount, (lane, i) => ((lane >> 2) + (i >= 2 ? 8 : 0)) * n + (lane & 3) * 2 + (i & 1));
    }

    public int M { get; }
    public int N { get; }
    public int K { get; }
    public int[] A { get; }
    public int[] B { get; }
    public int[] C { get; }
    public int ACount => A.Length / 32;
    public int BCount => B.Length / 32;
    public int CCount { get; }

    private static int[] Table(int count, Func<int, int, int> index)
    {
        var table = new int[32 * count];
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < count; i++)
            {
                table[lane * count + i] = index(lane, i);
            }
        }

        return table;
    }

    /// <summary>The layout of a shape and multiplicand type, or null where this machine has none.</summary>
    public static FragmentLayout? Create(string shape, ScalarType type) => (shape, type) switch
    {
        ("m16n8k8", ScalarType.F16 or ScalarType.BF16) => Rows16(8, 2, 4, 2),
        ("m16n8k16", ScalarType.F16 or ScalarType.BF16) => Rows16(16, 2, 8, 4),
        ("m16n8k4", ScalarType.TF32) => Rows16(4, 1, 2, 1),
        ("m16n8k8", ScalarType.TF32) => Rows16(8, 1, 4, 2),
        ("m16n8k16", ScalarType.S8 or ScalarType.U8) => Rows16(16, 4, 8, 4),
        ("m16n8k32", ScalarType.S8 or ScalarType.U8) => Rows16(32, 4, 16, 8),
        ("m8n8k16", ScalarType.S8 or ScalarType.U8) => Rows8(16, 4),
        ("m8n8k4", ScalarType.F64) => Rows8(4, 1),
        _ => null,
    };

    /// <summary>
    /// m16n8: four lanes share a row, each holding runs of <paramref name="run"/> consecutive k; runs alternate between
    /// row and row + 8, then move on by four runs along k. B repeats without the row alternation.
    /// </summary>
    private static FragmentLayout Rows16(int k, int run, int aCount, int bCount) => new(16, 8, k, aCount, bCount,
        (lane, i) =>
        {
            int chunk = i / run;
            return ((lane >> 2) + (chunk & 1) * 8, (lane & 3) * run + i % run + (chunk >> 1) * 4 * run);
        },
        (lane, i) => ((lane & 3) * run + i % run + i / run * 4 * run, lane >> 2));

    private static FragmentLayout Rows8(int k, int run) => new(8, 8, k, run, run,
        (lane, i) => (lane >> 2, (lane & 3) * run + i),
        (lane, i) => ((lane & 3) * run + i, lane >> 2));
}
