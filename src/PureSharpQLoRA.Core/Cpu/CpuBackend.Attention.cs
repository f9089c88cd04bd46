using PureSharpQLoRA.Core.Cpu.Attention;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly AttentionEngine _attention = new();

    /// <inheritdoc/>
    public void Attention(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        AttentionChecks.Forward(query, key, value, output, logSumExp, shape, starts, past);
        var operands = new AttentionOperands
        {
            Query = ReadFloats(query, "Attention", "query"),
            Key = ReadFloats(key, "Attention", "key"),
            Value = ReadFloats(value, "Attention", "value"),
            Output = WriteFloats(output, "Attention", "output"),
        };
        if (logSumExp is not null)
        {
            operands.LogSumExp = WriteFloats(logSumExp, "Attention", "logSumExp");
        }

        _attention.Forward(_team, Memory, operands, shape, starts, past);
    }

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        const string Operation = "AttentionBackward";
        AttentionChecks.Backward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, shape, starts);
        var operands = new AttentionOperands
        {
            Query = ReadFloats(query, Operation, "query"),
            Key = ReadFloats(key, Operation, "key"),
            Value = ReadFloats(value, Operation, "value"),
            Output = ReadFloats(output, Operation, "output"),
            LogSumExp = ReadFloats(logSumExp, Operation, "logSumExp"),
            OutputGradient = ReadFloats(dOutput, Operation, "dOutput"),
            QueryGradient = WriteFloats(dQuery, Operation, "dQuery"),
            KeyGradient = WriteFloats(dKey, Operation, "dKey"),
            ValueGradient = WriteFloats(dValue, Operation, "dValue"),
        };
        _attention.Backward(_team, Memory, operands, shape, starts);
    }
}
