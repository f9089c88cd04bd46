using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>A run's settings as the memory planner takes them.</summary>
internal static class PlanSettings
{
    /// <param name="values">The options of train.</param>
    /// <param name="rowLength">Tokens of a packed row.</param>
    /// <param name="longestExample">Tokens of a row that isn't packed, at most.</param>
    /// <param name="examples">How many there are: a batch has no more.</param>
    /// <param name="backend">Gives the type of activations, and says whether they can wait in the host's memory.</param>
    public static PlanOptions Of(OptionValues values, int rowLength, int longestExample, int examples, IBackend backend)
    {
        bool full = values.Text(TrainOptions.Finetuning) == "full";
        string[] targets = values.Names(TrainOptions.Targets);
        return new PlanOptions
        {
            Method = full ? TrainingMethod.Full : values.YesNo(CommonOptions.LoadIn4Bit) ? TrainingMethod.QLora : TrainingMethod.Lora,
            Batch = Math.Min(values.Integer(TrainOptions.Batch), examples),
            Length = values.YesNo(TrainOptions.Packing) ? rowLength : longestExample,
            Rank = values.Integer(TrainOptions.Rank),
            TargetModules = targets is ["all-linear"] ? [] : [.. targets],
            Checkpointing = values.YesNo(TrainOptions.Checkpointing) ? Checkpointing.Full : Checkpointing.Selective,
            DoubleQuantization = values.YesNo(CommonOptions.DoubleQuantization),
            OptimizerBits = TrainOptions.Has8BitStates(values) ? 8 : 32,
            ActivationBits = backend.ActivationType == DataType.Float32 ? 32 : 16,
            OffloadsActivations = values.YesNo(TrainOptions.Offloading) && backend.HostMemory is not null,
        };
    }
}
