using PureSharpQLoRA.Core.Cpu;

namespace PureSharpQLoRA.Core.Tests.Attention;

/// <summary>Attention through the backend's contract: operands reach the engine, and wrong ones are refused.</summary>
public sealed class AttentionBackendTests : IDisposable
{
    private static readonly AttentionShape Sizes = new(4, 2, 16, 0.25f);

    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 2 });
    private readonly TensorScope _scope;

    public AttentionBackendTests() => _scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);

    public void Dispose()
    {
        _scope.Dispose();
        _backend.Dispose();
    }

    [Fact]
    public void OperandsReachTheEngine()
    {
        using var direct = new AttentionCase(Sizes, [40, 9]);
        direct.Forward();
        direct.Backward();
        Tensor query = Of(direct, "query"), key = Of(direct, "key", true), value = Of(direct, "value", true), dOutput = Of(direct, "dOutput");
        Tensor output = New(49, 64), logSumExp = New(4, 49), dQuery = New(49, 64), dKey = New(49, 32), dValue = New(49, 32);
        _backend.Attention(query, key, value, output, logSumExp, Sizes, [0, 40, 49], 0);
        _backend.AttentionBackward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, Sizes, [0, 40, 49]);
        foreach ((string name, Tensor tensor) in new[] { ("output", output), ("logSumExp", logSumExp), ("dQuery", dQuery), ("dKey", dKey), ("dValue", dValue) })
        {
            Assert.Equal(direct.Values(name).ToArray(), _backend.ToArray(tensor));
        }
    }

    [Fact]
    public void ACacheGivesWhatTheWholeDocumentGives()
    {
        using var whole = new AttentionCase(Sizes, [60]);
        whole.Forward();
        Tensor query = Of(whole, "query"), keys = Of(whole, "key", true), values = Of(whole, "value", true);
        int done = 0;
        foreach (int tokens in new[] { 37, 1, 1, 6, 15 })
        {
            Tensor rows = New(tokens, 64), output = New(tokens, 64);
            _backend.Upload(_backend.ToArray(query).AsSpan(done * 64, tokens * 64), rows);
            _backend.Attention(rows, keys, values, output, null, Sizes, [0, tokens], done);
            float[] expected = whole.Values("output").Slice(done * 64, tokens * 64).ToArray(), actual = _backend.ToArray(output);
            for (int i = 0; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], actual[i], 2e-6f);
            }

            done += tokens;
        }
    }

    [Fact]
    public void WrongOperandsAreRefused()
    {
        Tensor query = New(9, 64), key = New(9, 32), output = New(9, 64);
        Refused(() => _backend.Attention(New(8, 64), key, key, output, null, Sizes, [0, 9], 0), "query should be [9, 64]");
        Refused(() => _backend.Attention(query, New(9, 48), key, output, null, Sizes, [0, 9], 0), "key should be [..., 32]");
        Refused(() => _backend.Attention(query, key, key, output, null, Sizes, [0, 9], 1), "key should be at least 10 rows");
        Refused(() => _backend.Attention(query, key, key, output, New(9, 4), Sizes, [0, 9], 0), "logSumExp should be [4, 9]");
        Refused(() => _backend.Attention(query, key, key, output, null, Sizes, [0, 5, 9], 3), "needs a single document");
        Refused(() => _backend.Attention(query, key, key, output, null, Sizes, [0, 10, 9], 0), "boundary 2 (9)");
        Refused(() => _backend.Attention(query, key, key, output, null, Sizes with { KeyValueHeads = 3 }, [0, 9], 0), "evenly");
        Refused(() => _backend.AttentionBackward(query, key, key, output, New(4, 9), query, query, key, New(9, 64), Sizes, [0, 9]), "dValue should be [9, 32]");
    }

    private static void Refused(Action action, string message) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);

    private Tensor New(int rows, int columns) => _scope.Allocate(new Shape(rows, columns));

    private Tensor Of(AttentionCase test, string name, bool keyLike = false)
    {
        int width = keyLike ? test.Shape.KeyWidth : test.Shape.QueryWidth;
        Tensor tensor = New(test.Values(name).Length / width, width);
        _backend.Upload(test.Values(name), tensor);
        return tensor;
    }
}
