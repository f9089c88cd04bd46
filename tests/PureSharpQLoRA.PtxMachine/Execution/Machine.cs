using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Executes PTX kernels on the host: global memory with checked allocations, and launches that run every thread of a
/// grid with SIMT semantics and report memory traffic and violations.
/// </summary>
public sealed unsafe class Machine(MachineOptions? options = null) : IDisposable
{
    private readonly DeviceMemory memory = new();
    private readonly ConditionalWeakTable<PtxModule, ulong[]> modules = [];

    public MachineOptions Options { get; } = options ?? new MachineOptions();

    /// <summary>Allocates uninitialised global memory, 256-byte aligned.</summary>
    public ulong Allocate(long bytes, string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return memory.Allocate(bytes, name).Address;
    }

    /// <summary>Allocates global memory holding a copy of the data.</summary>
    public ulong Upload<T>(ReadOnlySpan<T> data, string? name = null) where T : unmanaged
    {
        ulong address = Allocate((long)data.Length * sizeof(T), name);
        Write(address, data);
        return address;
    }

    /// <inheritdoc cref="Upload{T}(ReadOnlySpan{T}, string?)"/>
    public ulong Upload<T>(T[] data, string? name = null) where T : unmanaged => Upload<T>(data.AsSpan(), name);

    public void Write<T>(ulong address, ReadOnlySpan<T> data) where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(data);
        HostRange range = Range(address, bytes.Length);
        bytes.CopyTo(range.Data);
        range.Shadow.Fill(ByteState.Written);
    }

    /// <summary>Sets bytes, as cudaMemset does.</summary>
    public void Fill(ulong address, int bytes, byte value = 0)
    {
        HostRange range = Range(address, bytes);
        range.Data.Fill(value);
        range.Shadow.Fill(ByteState.Written);
    }

    public T[] Download<T>(ulong address, int count) where T : unmanaged
    {
        var result = new T[count];
        Download<T>(address, result);
        return result;
    }

    public void Download<T>(ulong address, Span<T> target) where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(target);
        Range(address, bytes.Length).Data.CopyTo(bytes);
    }

    /// <summary>Releases an allocation; later accesses to it fault.</summary>
    public void Free(ulong address)
    {
        Allocation a = memory.Find(address, 0) ?? throw new ArgumentException("not an allocation", nameof(address));
        if (a.Address != address)
        {
            throw new ArgumentException("not the start of an allocation", nameof(address));
        }

        a.Free();
    }

    /// <summary>Device address of a module's .global or .const variable.</summary>
    public ulong AddressOf(PtxModule module, string variable)
    {
        for (int i = 0; i < module.Variables.Count; i++)
        {
            if (module.Variables[i].Name == variable)
            {
                return Load(module)[i];
            }
        }

        throw new ArgumentException($"no variable '{variable}'", nameof(variable));
    }

    /// <summary>Launches with typed arguments: one unmanaged value (or byte array) per declared parameter.</summary>
    public LaunchReport Launch(PtxModule module, string kernel, Dim3 grid, Dim3 block, int dynamicSharedBytes, params object[] arguments) =>
        LaunchPacked(module, kernel, grid, block, dynamicSharedBytes, KernelArguments.Pack(module.GetKernel(kernel), arguments));

    /// <summary>Launches with a parameter buffer laid out as the kernel declares it.</summary>
    public LaunchReport LaunchPacked(PtxModule module, string kernel, Dim3 grid, Dim3 block, int dynamicSharedBytes, ReadOnlySpan<byte> parameters)
    {
        PtxKernel k = module.GetKernel(kernel);
        CheckConfiguration(module, k, grid, block, dynamicSharedBytes, parameters.Length);
        var ranges = module.SharedRanges(k, dynamicSharedBytes);
        var context = new LaunchContext
        {
            Module = module, Kernel = k, Memory = memory, Options = Options, GridSize = grid, BlockSize = block,
            DynamicSharedBytes = dynamicSharedBytes,
            SharedBytes = ranges.Select(r => r.Offset + r.Size).DefaultIfEmpty(0).Max(),
            SharedVariables = ranges, Parameters = parameters.ToArray(), VariableAddresses = Load(module),
        };
        LaunchReport report = Run(context);
        if (Options.Violations == ViolationMode.Throw && report.Violations.Count > 0)
        {
            throw new PtxViolationException(report);
        }

        return report;
    }

    private static LaunchReport Run(LaunchContext context)
    {
        long blocks = context.GridSize.Count;
        int threads = (int)Math.Clamp(context.Options.HostThreads, 1, blocks);
        var workers = new Worker[threads];
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            for (int i = 0; i < threads; i++)
            {
                workers[i] = new Worker(context);
            }

            if (threads == 1)
            {
                for (long b = 0; b < blocks; b++)
                {
                    workers[0].RunBlock(b);
                }
            }
            else
            {
                RunParallel(workers, blocks);
            }

            return LaunchReport.Create(context, workers, System.Diagnostics.Stopwatch.GetElapsedTime(start));
        }
        finally
        {
            foreach (Worker? w in workers)
            {
                w?.Dispose();
            }
        }
    }

    private static void RunParallel(Worker[] workers, long blocks)
    {
        long counter = 0;
        try
        {
            Parallel.ForEach(workers, new ParallelOptions { MaxDegreeOfParallelism = workers.Length }, worker =>
            {
                for (long b; (b = Interlocked.Increment(ref counter) - 1) < blocks;)
                {
                    worker.RunBlock(b);
                }
            });
        }
        catch (AggregateException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private void CheckConfiguration(PtxModule module, PtxKernel k, Dim3 grid, Dim3 block, int dynamicBytes, int parameterBytes)
    {
        if (grid.X < 1 || grid.Y < 1 || grid.Z < 1 || grid.Y > 65535 || grid.Z > 65535)
        {
            throw new PtxLaunchException($"grid {grid} is not valid");
        }

        if (block.X < 1 || block.Y < 1 || block.Z < 1 || block.Z > 64 || block.Count > 1024)
        {
            throw new PtxLaunchException($"block {block} is not valid");
        }

        if (k.MaxThreadsPerBlock > 0 && block.Count > k.MaxThreadsPerBlock)
        {
            throw new PtxLaunchException($"block {block} exceeds .maxntid {k.MaxThreadsPerBlock} of {k.Name}");
        }

        if (k.RequiredBlock is { } r && r != (block.X, block.Y, block.Z))
        {
            throw new PtxLaunchException($"block {block} differs from .reqntid {r} of {k.Name}");
        }

        if (parameterBytes != k.ParameterBytes)
        {
            throw new PtxLaunchException($"{k.Name} takes {k.ParameterBytes} parameter bytes, not {parameterBytes}");
        }

        if (k.StaticSharedBytes > 48 * 1024)
        {
            throw new PtxLaunchException($"{k.Name} declares {k.StaticSharedBytes} static shared bytes, ptxas allows 49152");
        }

        long use = module.SharedUse(k, dynamicBytes);
        int limit = Options.SharedMemoryLimit > 0 ? Options.SharedMemoryLimit : SharedLimit(module.TargetSm);
        if (use > limit)
        {
            throw new PtxLaunchException($"{k.Name} needs {use} shared bytes, sm_{module.TargetSm} allows {limit} per block");
        }
    }

    /// <summary>Most shared memory a block can opt in to (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").</summary>
    private static int SharedLimit(int sm) => 1024 * sm switch { < 70 => 48, 70 or 72 => 96, 75 => 64, 80 or 87 => 163, 86 or 89 => 99, _ => 227 };

    private ulong[] Load(PtxModule module) => modules.GetValue(module, m => [.. m.Variables.Select(v =>
    {
        if (v.Space == StateSpace.Shared) { return 0UL; } bool constant = v.Space == StateSpace.Const;
        Allocation a = memory.Allocate(v.Size, v.Name, constant);
        new Span<byte>(a.Data, (int)v.Size).Clear(); // PTX: variables without an initialiser start as zero
        v.Initial?.CopyTo(new Span<byte>(a.Data, (int)v.Size));
        new Span<byte>(a.Shadow, (int)v.Size).Fill(ByteState.Written);
        return a.Address;
    })]);

    private HostRange Range(ulong address, int bytes)
    {
        Allocation a = memory.Find(address, bytes) ?? throw new ArgumentException($"{bytes} bytes: {memory.Describe(address)}", nameof(address));
        ulong offset = address - a.Address;
        return new HostRange(new Span<byte>(a.Data + offset, bytes), new Span<byte>(a.Shadow + offset, bytes));
    }

    public void Dispose() => memory.Dispose();

    /// <summary>Host bytes of a device range and their shadow.</summary>
    private readonly ref struct HostRange(Span<byte> data, Span<byte> shadow)
    {
        public Span<byte> Data { get; } = data;
        public Span<byte> Shadow { get; } = shadow;
    }
}
