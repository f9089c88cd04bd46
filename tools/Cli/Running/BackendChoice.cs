using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Makes the backend that the options ask for.</summary>
internal static class BackendChoice
{
    public static IBackend Create(CommandContext context)
    {
        OptionValues values = context.Values;
        if (values.Text(CommonOptions.Device) == "cuda")
        {
            throw new CliException($"--device cuda: {DevicesCommand.WhyNoCuda()}. Use --device cpu.");
        }

        string type = values.Text(CommonOptions.ComputeType);
        if (type == "float16")
        {
            context.Warn("the CPU does not multiply in float16; it computes in float32.");
        }

        var options = new CpuOptions
        {
            Threads = values.Integer(CommonOptions.Threads),
            ComputeType = type == "bfloat16" ? DataType.BFloat16 : DataType.Float32,
        };
        var backend = new CpuBackend(options);
        if (backend.ComputeType != options.ComputeType)
        {
            context.Warn("this processor does not multiply in bfloat16; it computes in float32.");
        }

        return backend;
    }
}
