using System.Text.RegularExpressions;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Assembly;
using PureSharpQLoRA.Kernels.Cases;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>Every kernel that the backend takes for products, attention, layers and the optimizer, over sizes that reach all paths, keeps to registers and calls nothing.</summary>
public sealed partial class KernelCatalogueTests
{
    [Theory]
    [InlineData(75)]
    [InlineData(80)]
    public void No_kernel_has_calls_or_local_memory_in_its_PTX(int architecture)
    {
        IReadOnlyList<CompiledKernel> kernels = Catalogue.Of(architecture);
        Assert.True(kernels.Count > 50, $"only {kernels.Count} kernels");
        Assert.All(kernels, kernel =>
        {
            Assert.Contains($".target sm_{architecture}", kernel.Ptx, StringComparison.Ordinal);
            Assert.False(LeavesRegisters().IsMatch(kernel.Ptx), $"{kernel.Key.Name}: {LeavesRegisters().Match(kernel.Ptx).Value}");
        });
    }

    /// <summary>With ptxas at hand (tools/fetch-ptxas.sh): no spill, no stack frame, no local memory, no call on any chip.</summary>
    [Theory]
    [InlineData(75)]
    [InlineData(80)]
    [InlineData(86)]
    [InlineData(90)]
    public void No_kernel_spills_when_it_is_assembled(int chip)
    {
        var assembler = Assembler.Find();
        if (assembler is null)
        {
            Assert.Skip($"ptxas and cuobjdump are not on the PATH: {Assembler.Variable}=\"$(tools/fetch-ptxas.sh)\" brings them.");
        }

        IReadOnlyList<CompiledKernel> kernels = Catalogue.Of(chip >= 80 ? 80 : 75);
        var faults = new System.Collections.Concurrent.ConcurrentBag<string>();
        Parallel.ForEach(kernels, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, kernel =>
        {
            AssembledKernel assembled = assembler.Assemble(kernel, chip);
            if (!assembled.IsClean)
            {
                faults.Add($"{kernel.Key.Name}: {assembled.SpillBytes} bytes spilled, {assembled.StackBytes} of stack, {assembled.LocalAccesses} local accesses, {assembled.Calls} calls");
            }
        });
        Assert.Empty(faults);
    }

    [GeneratedRegex(@"^\s*(call\b|\.extern\s+\.func|\.local\b|ld\.local|st\.local).*$", RegexOptions.Multiline)]
    private static partial Regex LeavesRegisters();
}
