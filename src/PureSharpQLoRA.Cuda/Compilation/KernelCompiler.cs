using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Compilation;

/// <summary>
/// Compiles C# methods to PTX with ILGPU, each once in a process; needs no GPU. There is one compiler per PTX target, and any thread may use it.
/// </summary>
[SuppressMessage("Reliability", "CA1001:Types that own disposable fields should be disposable", Justification = "A compiler lives as long as the process.")]
public sealed partial class KernelCompiler
{
    private static readonly Lock Creation = new();
    private static readonly Dictionary<int, KernelCompiler> Compilers = [];

    private readonly Lock _lock = new();
    private readonly Dictionary<KernelKey, CompiledKernel> _compiled = [];
    private readonly PTXBackend _backend;

    private KernelCompiler(int architecture)
    {
        Architecture = architecture;
        Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).Inlining(InliningMode.Aggressive).EnablePtx(typeof(Ptx)));
        (CudaArchitecture target, CudaInstructionSet instructions) = Architecture switch
        {
            80 => (CudaArchitecture.SM_80, CudaInstructionSet.ISA_70),
            75 => (CudaArchitecture.SM_75, CudaInstructionSet.ISA_65),
            _ => (CudaArchitecture.SM_70, CudaInstructionSet.ISA_65),
        };
        _backend = new PTXBackend(context, target, instructions, null!);
    }

    /// <summary>The PTX target: 70, 75 or 80; the latter runs on everything newer too.</summary>
    public int Architecture { get; }

    /// <summary>The PTX version, as "7.0".</summary>
    public string PtxVersion => Architecture == 80 ? "7.0" : "6.5";

    /// <summary>The oldest CUDA version of a driver that reads this PTX, 1000 * major + 10 * minor (PTX ISA manual, release notes).</summary>
    public int LeastDriverVersion => Architecture == 80 ? 11000 : 10020;

    /// <summary>The compiler for a card: the newest PTX target that ILGPU knows and the card takes.</summary>
    /// <param name="computeCapability">Major times ten plus minor.</param>
    /// <exception cref="NotSupportedException">The card is older than 7.0.</exception>
    public static KernelCompiler For(int computeCapability)
    {
        int architecture = computeCapability switch
        {
            >= 80 => 80,
            >= 75 => 75,
            >= 70 => 70,
            _ => throw new NotSupportedException(FormattableString.Invariant(
                $"A card of compute capability {computeCapability / 10}.{computeCapability % 10} is too old: 7.0 (Volta) or newer is needed.")),
        };
        lock (Creation)
        {
            if (!Compilers.TryGetValue(architecture, out KernelCompiler? compiler))
            {
                Compilers.Add(architecture, compiler = new KernelCompiler(architecture));
            }

            return compiler;
        }
    }

    /// <summary>Compiles one kernel, or returns what was compiled before.</summary>
    /// <exception cref="InvalidOperationException">The PTX has calls or local memory, which no kernel of ours may.</exception>
    public CompiledKernel Compile(in KernelKey key)
    {
        lock (_lock)
        {
            if (!_compiled.TryGetValue(key, out CompiledKernel? kernel))
            {
                _compiled.Add(key, kernel = CompileNew(key));
            }

            return kernel;
        }
    }

    private CompiledKernel CompileNew(in KernelKey key)
    {
        var specialization = new KernelSpecialization(key.Threads, key.MinimumBlocks > 0 ? key.MinimumBlocks : null);
        var compiled = (PTXCompiledKernel)_backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(key.Resolve()), specialization);
        string ptx = compiled.PTXAssembly;
        if (Forbidden().Match(ptx) is { Success: true } found)
        {
            throw new InvalidOperationException($"The PTX of {key.Name} contains '{found.Value.Trim()}'.");
        }

        return new CompiledKernel(key, EntryName().Match(ptx).Groups[1].Value, Architecture, ptx);
    }

    /// <summary>Calls, unresolved functions and local memory have no place in a kernel.</summary>
    [GeneratedRegex(@"^\s*(call\b|\.extern \.func|\.local\b|ld\.local|st\.local).*$", RegexOptions.Multiline)]
    private static partial Regex Forbidden();

    [GeneratedRegex(@"\.entry\s+([A-Za-z0-9_$]+)")]
    private static partial Regex EntryName();
}
