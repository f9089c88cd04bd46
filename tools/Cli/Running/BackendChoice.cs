using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Makes the backend that the options ask for.</summary>
internal static class BackendChoice
{
    public static IBackend Create(CommandContext context)
    {
        string device = context.Values.Text(CommonOptions.Device);
        if (device == "cpu")
        {
            return CreateCpu(context);
        }

        CudaDevices cards = context.Host.FindCards();
        if (cards.WhyNone is null)
        {
            return CreateCuda(context, cards);
        }

        return device == "auto" ? CreateCpu(context) : throw new CliException($"--device cuda: {cards.WhyNone} Use --device cpu.");
    }

    private static CpuBackend CreateCpu(CommandContext context)
    {
        OptionValues values = context.Values;
        string? type = values.Find(CommonOptions.ComputeType);
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

    private static IlgpuBackend CreateCuda(CommandContext context, CudaDevices cards)
    {
        using var line = new LiveLine(context);
        int compiled = 0;
        var options = new CudaOptions
        {
            ActivationType = context.Values.Find(CommonOptions.ComputeType) switch
            {
                "float32" => DataType.Float32,
                "float16" => DataType.Float16,
                "bfloat16" => DataType.BFloat16,
                _ => null,
            },
            Compiling = name => line.Show(FormattableString.Invariant($"Compiling kernel {++compiled}: {name}")),
        };
        CudaDevice card = cards.Open();
        try
        {
            return new IlgpuBackend(card, options);
        }
        catch
        {
            card.Dispose();
            throw;
        }
    }
}
