using PureSharpQLoRA.Core;
using PureSharpQLoRA.PtxMachine;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>The tensor-core kernels of attention, for each head size, element type and PTX target that have one.</summary>
public sealed class TensorCoreAttentionTests(ITestOutputHelper output)
{
    public static TheoryData<int, DataType, int> Kernels
    {
        get
        {
            var data = new TheoryData<int, DataType, int>();
            foreach (int headSize in new[] { 64, 80, 96, 128, 256 })
            {
                data.Add(75, DataType.Float16, headSize);
                data.Add(80, DataType.Float16, headSize);
                data.Add(80, DataType.BFloat16, headSize);
            }

            return data;
        }
    }

    /// <summary>Each head size, element type and PTX target at least once, where running all kernels would show little more.</summary>
    public static TheoryData<int, DataType, int> SomeKernels =>
    [
        (75, DataType.Float16, 64), (75, DataType.Float16, 80), (75, DataType.Float16, 256),
        (80, DataType.Float16, 96), (80, DataType.BFloat16, 128), (80, DataType.BFloat16, 256),
    ];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Forward(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach (AttentionCase sizes in Cases(headSize))
        {
            machine.Forward(sizes);
            AssertKernels(machine, "AttentionForward");
        }

        machine.Forward(new AttentionCase(headSize, 2, 1, 33), withSums: false);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Backward(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach (AttentionCase sizes in Cases(headSize))
        {
            machine.Backward(sizes);
            AssertKernels(machine, "AttentionDelta", "AttentionBackwardQuery", "AttentionBackwardKeyValue");
        }
    }

    /// <summary>Several tokens behind a cache, whose rows beyond them were never written.</summary>
    [Theory]
    [MemberData(nameof(SomeKernels))]
    public void Several_tokens_behind_a_cache(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach ((int past, int tokens, int window) in new[] { (1, 2, 0), (33, 31, 0), (64, 65, 0), (80, 20, 40) })
        {
            machine.Forward(new AttentionCase(headSize, 2, 1, tokens) { Past = past, Window = window }, withSums: false);
            AssertKernels(machine, "AttentionForward");
        }
    }

    [Theory]
    [MemberData(nameof(SomeKernels))]
    public void One_token_behind_a_cache(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach (AttentionCase sizes in new AttentionCase[]
        {
            new(headSize, 8, 2, 1) { Past = 1 }, new(headSize, 8, 2, 1) { Past = 30 }, new(headSize, 8, 2, 1) { Past = 64 },
            new(headSize, 2, 2, 1) { Past = 300, Window = 100 }, new(headSize, 12, 1, 1) { Past = 128 }, new(headSize, 8, 2, 1) { Past = 1030, Amplitude = 8 },
        })
        {
            machine.Forward(sizes, withSums: false);
            AssertKernels(machine, "AttentionDecode", "AttentionDecodeSum");
        }
    }

    /// <summary>More heads on a key head than decoding has rows.</summary>
    [Fact]
    public void One_token_with_a_large_group()
    {
        using var machine = new AttentionMachine(75, DataType.Float16);
        machine.Forward(new AttentionCase(64, 17, 1, 1) { Past = 40 }, withSums: false);
        AssertKernels(machine, "AttentionForward");
    }

    /// <summary>The sums have one order, whatever the order of the blocks.</summary>
    [Theory]
    [MemberData(nameof(SomeKernels))]
    public void Results_do_not_depend_on_the_order_of_the_blocks(int architecture, DataType type, int headSize)
    {
        var sizes = new AttentionCase(headSize, 2, 1, 65, 100);
        using AttentionMachine one = new(architecture, type), two = new(architecture, type, hostThreads: 2);
        Assert.Equal(one.Forward(sizes), two.Forward(sizes));
        Assert.Equal(one.Backward(sizes), two.Backward(sizes));
    }

    /// <summary>
    /// Counts what the kernels do for 256 tokens and four query heads on a key head. Matrix products: the tiles on and below the diagonal, each whole.
    /// Traffic: the keys and values (or queries and output gradients) once for each tile of queries (or keys) that needs them.
    /// </summary>
    [Theory]
    [MemberData(nameof(SomeKernels))]
    public void Traffic_and_products(int architecture, DataType type, int headSize)
    {
        const int Tokens = 256, Heads = 4;
        using var machine = new AttentionMachine(architecture, type);
        var sizes = new AttentionCase(headSize, Heads, 1, Tokens);
        machine.Forward(sizes);
        LaunchReport forward = Assert.Single(machine.Launches).Report;
        int keyTile = headSize switch { 96 => 32, 256 => 16, _ => 64 };
        AssertEfficient(forward);
        AssertProducts(forward, architecture, Heads * 2 * Pairs(Tokens, 64, keyTile) * headSize);
        AssertSectors(forward, Heads * (2 * QueryBytes() + 2 * Rows(Tokens, 64, keyTile) * headSize * 2));

        machine.Backward(sizes);
        LaunchReport query = machine.Launches[1].Report, keyValue = machine.Launches[2].Report;
        AssertEfficient(query);
        // The pairs of warps that share queries, or keys, both have the scores.
        bool sharesQueries = headSize == 256;
        AssertProducts(
            query, architecture, Heads * (sharesQueries ? 5 : 3) * Pairs(Tokens, sharesQueries ? 32 : 64, headSize switch { 80 => 64, 256 => 16, _ => 32 }) * headSize);
        AssertEfficient(keyValue);
        int keys = headSize == 256 ? 32 : 64;
        double perPair = headSize == 256 ? 2 * 2 + 2 : 4;
        AssertProducts(keyValue, architecture, (long)(Heads * perPair * PairsOfKeys(Tokens, keys) * headSize));
        AssertEfficient(machine.Launches[0].Report);

        long QueryBytes() => (long)Tokens * headSize * 2;
    }

    private static AttentionCase[] Cases(int headSize) =>
    [
        new(headSize, 1, 1, 1), new(headSize, 1, 1, 31), new(headSize, 1, 1, 33), new(headSize, 2, 1, 129),
        new(headSize, 4, 1, 1, 31, 33, 0, 20),
        new(headSize, 2, 2, 90, 33) { Window = 40 },
        new(headSize, 1, 1, 70) { Amplitude = 10 },
    ];

    /// <summary>Query and key pairs in the tiles that causal attention touches.</summary>
    private static long Pairs(int tokens, int queryTile, int keyTile)
    {
        long pairs = 0;
        for (int query = 0; query < tokens; query += queryTile)
        {
            pairs += (long)queryTile * ((query + queryTile + keyTile - 1) / keyTile * keyTile);
        }

        return pairs;
    }

    /// <summary>The same where blocks own keys, and queries begin at them.</summary>
    private static long PairsOfKeys(int tokens, int keyTile)
    {
        long pairs = 0;
        for (int key = 0; key < tokens; key += keyTile)
        {
            pairs += (long)keyTile * (tokens - key);
        }

        return pairs;
    }

    /// <summary>Rows of keys that all tiles of queries read.</summary>
    private static long Rows(int tokens, int queryTile, int keyTile) => Pairs(tokens, queryTile, keyTile) / queryTile;

    /// <summary>sm_75 multiplies 16x8x8 at a time, sm_80 16x8x16.</summary>
    private static void AssertProducts(LaunchReport report, int architecture, long multiplyAdds) =>
        Assert.Equal(multiplyAdds / (architecture == 75 ? 1024 : 2048), report.MmaInstructions);

    private static void AssertSectors(LaunchReport report, long bytes) =>
        Assert.InRange(32 * report.GlobalSectors, bytes, (long)(1.05 * bytes));

    private void AssertEfficient(LaunchReport report)
    {
        output.WriteLine(report.ToString());
        Assert.Equal(0, report.BankConflicts);
        Assert.True(report.CoalescingEfficiency >= 0.9, report.ToString());
    }

    private void AssertKernels(AttentionMachine machine, params string[] names)
    {
        Assert.Equal(names, machine.Launches.Select(launch => launch.Kernel.Split('.')[0].Split('<')[0]));
        foreach ((string kernel, LaunchReport report) in machine.Launches)
        {
            output.WriteLine($"{kernel}: {report}");
            Assert.Equal(0, report.BankConflictsOf("ldmatrix"));
        }
    }
}
