using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.Kernels.Dry;
using PureSharpQLoRA.PtxMachine;

namespace PureSharpQLoRA.Kernels.Cases;

/// <summary>What one operation moved on the PTX machine, all its launches together, beside the fewest bytes it could.</summary>
internal sealed record Traffic(string Case, int Architecture, string Kernels, long FewestBytes, IReadOnlyList<LaunchReport> Reports)
{
    /// <summary>Bytes of the sectors of all accesses of all warps.</summary>
    public long SectorBytes => 32 * Reports.Sum(report => report.GlobalSectors);

    /// <summary>The share of those sectors that the same accesses need at least.</summary>
    public double SectorUse => (double)Reports.Sum(report => report.GlobalIdealSectors) / Math.Max(1, Reports.Sum(report => report.GlobalSectors));

    /// <summary>Passes of shared memory beyond the fewest.</summary>
    public long Conflicts => Reports.Sum(report => report.BankConflicts);

    /// <summary>Warp-wide tensor-core instructions.</summary>
    public long Products => Reports.Sum(report => report.MmaInstructions);

    /// <summary>Executes the counted cases, all checks on.</summary>
    public static IEnumerable<Traffic> Count(int architecture)
    {
        foreach (OperationCase each in OperationCase.All.Where(each => each.IsCounted))
        {
            var launches = new List<(CompiledKernel Kernel, LaunchReport Report)>();
            var device = new PtxMachineDevice(architecture);
            using var backend = new RecordingBackend(new IlgpuBackend(device));
            device.Launched = (kernel, grid, report) =>
            {
                backend.Add(new Launch(kernel, grid));
                launches.Add((kernel, report));
            };
            using (var tensors = new CaseTensors(backend, filled: true))
            {
                each.Run(tensors);
            }

            // Of several operations the last one is meant; what went ahead made its operands.
            Operation operation = backend.Operations[^1];
            (CompiledKernel Kernel, LaunchReport Report)[] meant = [.. launches.TakeLast(operation.Launches.Count)];
            yield return new Traffic(
                each.Name, architecture, string.Join(", ", meant.Select(launch => launch.Kernel.Key.Name).Distinct()), operation.Bytes, [.. meant.Select(launch => launch.Report)]);
        }
    }
}
