using System.Linq.Expressions;
using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Compiles C# kernels to PTX with ILGPU, and runs the same kernels on ILGPU's CPU accelerator.</summary>
public static class IlgpuHarness
{
    private static readonly Lazy<CPUAccelerator> Cpu = new(() =>
    {
        Context context = Context.Create(b => b.Optimize(OptimizationLevel.O1).EnableAlgorithms().CPU(new CPUDevice(32, 8, 1)));
        return context.GetCPUDevice(0).CreateCPUAccelerator(context, CPUAcceleratorMode.Parallel);
    });

    public static (PtxModule Module, string Kernel, string Ptx) Compile(MethodInfo method, bool grouped, int sm = 75, OptimizationLevel level = OptimizationLevel.O2, bool fast = false)
    {
        using Context context = Context.Create(b =>
        {
            b.Optimize(level).EnableAlgorithms();
            if (fast)
            {
                b.Math(MathMode.Fast);
            }

            if (level == OptimizationLevel.O0)
            {
                b.Inlining(InliningMode.Disabled);
            }
        });
        var (architecture, instructions) = sm switch
        {
            75 => (CudaArchitecture.SM_75, CudaInstructionSet.ISA_65),
            80 => (CudaArchitecture.SM_80, CudaInstructionSet.ISA_70),
            _ => (CudaArchitecture.SM_90, CudaInstructionSet.ISA_78),
        };
        using var backend = new PTXBackend(context, architecture, instructions, null!);
        var entry = grouped ? EntryPointDescription.FromExplicitlyGroupedKernel(method) : EntryPointDescription.FromImplicitlyGroupedKernel(method);
        var compiled = (PTXCompiledKernel)backend.Compile(entry, default);
        PtxModule module = PtxModule.Parse(compiled.PTXAssembly);
        return (module, module.Kernels.Single().Name, compiled.PTXAssembly);
    }

    /// <summary>
    /// Runs an explicitly grouped kernel on a fresh machine; arrays in <paramref name="args"/> become views and are
    /// overwritten with the result.
    /// </summary>
    public static LaunchReport Run(Delegate kernel, Dim3 grid, Dim3 block, object[] args, int dynamicShared = 0, int sm = 75, bool fast = false, OptimizationLevel level = OptimizationLevel.O2, MachineOptions? options = null)
    {
        var (module, name, _) = Compile(kernel.Method, true, sm, level, fast);
        return Launch(module, name, grid, block, dynamicShared, null, args, options);
    }

    /// <summary>Runs an implicitly grouped kernel over a 1D, 2D or 3D index.</summary>
    public static LaunchReport RunIndexed(Delegate kernel, object index, Dim3 block, object[] args, int sm = 75, MachineOptions? options = null)
    {
        var (module, name, _) = Compile(kernel.Method, false, sm);
        Dim3 grid = index switch
        {
            Index1D i => new Dim3((i.X + block.X - 1) / block.X),
            Index2D i => new Dim3((i.X + block.X - 1) / block.X, (i.Y + block.Y - 1) / block.Y),
            Index3D i => new Dim3((i.X + block.X - 1) / block.X, (i.Y + block.Y - 1) / block.Y, (i.Z + block.Z - 1) / block.Z),
            _ => throw new ArgumentException($"{index.GetType()} is no index of a kernel.", nameof(index)),
        };
        return Launch(module, name, grid, block, 0, index, args, options);
    }

    private static LaunchReport Launch(PtxModule module, string kernel, Dim3 grid, Dim3 block, int dynamicShared, object? index, object[] args, MachineOptions? options)
    {
        using var machine = new Machine(options);
        var addresses = new Dictionary<int, ulong>();
        var packed = new List<object>();
        if (index != null)
        {
            packed.Add(index);
        }

        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] is Array array)
            {
                byte[] bytes = ArrayBytes(array);
                ulong address = machine.Upload(bytes, $"arg{i}");
                addresses[i] = address;
                int declared = module.GetKernel(kernel).Parameters[packed.Count].Size;
                packed.Add(declared == 32 ? new DeviceView1D(address, array.Length) : new DeviceView(address, array.Length));
            }
            else
            {
                packed.Add(args[i]);
            }
        }
        LaunchReport report = machine.Launch(module, kernel, grid, block, dynamicShared, [.. packed]);
        foreach (var (i, address) in addresses)
        {
            var array = (Array)args[i];
            byte[] bytes = machine.Download<byte>(address, ArrayBytes(array).Length);
            CopyBack(bytes, array);
        }
        return report;
    }

    /// <summary>Runs the kernel on ILGPU's CPU accelerator; arrays are overwritten with the result.</summary>
    public static void RunOnCpu(Delegate kernel, Dim3 grid, Dim3 block, object[] args, int dynamicSharedElements = 0, Type? dynamicType = null)
    {
        CPUAccelerator accelerator = Cpu.Value;
        Kernel loaded = accelerator.LoadKernel(kernel.Method);
        var config = new KernelConfig(new Index3D(grid.X, grid.Y, grid.Z), new Index3D(block.X, block.Y, block.Z),
            dynamicType == null ? default : (SharedMemoryConfig)typeof(SharedMemoryConfig).GetMethod("RequestDynamic")!.MakeGenericMethod(dynamicType).Invoke(null, [dynamicSharedElements])!);
        Invoke(accelerator, loaded, kernel.Method, config, args, 0);
    }

    public static void RunIndexedOnCpu(Delegate kernel, object index, object[] args)
    {
        CPUAccelerator accelerator = Cpu.Value;
        Kernel loaded = accelerator.LoadAutoGroupedKernel(kernel.Method);
        Invoke(accelerator, loaded, kernel.Method, index, args, 1);
    }

    private static void Invoke(CPUAccelerator accelerator, Kernel loaded, MethodInfo method, object dimension, object[] args, int skip)
    {
        Type[] parameters = [.. method.GetParameters().Skip(skip).Select(p => p.ParameterType)];
        Type launcherType = Expression.GetActionType([typeof(AcceleratorStream), dimension.GetType(), .. parameters]);
        var launcher = (Delegate)typeof(Kernel).GetMethods().Single(m => m.Name == nameof(Kernel.CreateLauncherDelegate)).MakeGenericMethod(launcherType).Invoke(loaded, null)!;
        var values = new List<object> { accelerator.DefaultStream, dimension };
        var buffers = new List<(MemoryBuffer Buffer, Array Array)>();
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] is not Array array) { values.Add(args[i]); continue; }
            var (buffer, strided, plain) = ((MemoryBuffer, object, object))AllocateMethod.MakeGenericMethod(array.GetType().GetElementType()!).Invoke(null, [accelerator, array])!;
            buffers.Add((buffer, array));
            values.Add(parameters[i] == strided.GetType() ? strided : plain);
        }
        launcher.DynamicInvoke([.. values]);
        accelerator.Synchronize();
        foreach (var (buffer, array) in buffers)
        {
            DownloadMethod.MakeGenericMethod(array.GetType().GetElementType()!).Invoke(null, [buffer, array]);
            buffer.Dispose();
        }
    }

    private static readonly MethodInfo AllocateMethod = typeof(IlgpuHarness).GetMethod(nameof(AllocateCopy), BindingFlags.NonPublic | BindingFlags.Static)!;
    private static readonly MethodInfo DownloadMethod = typeof(IlgpuHarness).GetMethod(nameof(DownloadTo), BindingFlags.NonPublic | BindingFlags.Static)!;

    private static (MemoryBuffer, object, object) AllocateCopy<T>(CPUAccelerator accelerator, T[] data) where T : unmanaged
    {
        MemoryBuffer1D<T, Stride1D.Dense> buffer = accelerator.Allocate1D(data);
        return (buffer, buffer.View, (ArrayView<T>)buffer.View);
    }

    private static void DownloadTo<T>(MemoryBuffer1D<T, Stride1D.Dense> buffer, T[] target) where T : unmanaged => buffer.CopyToCPU(target);

    private static byte[] ArrayBytes(Array array)
    {
        var bytes = new byte[System.Runtime.InteropServices.Marshal.SizeOf(array.GetType().GetElementType()!) * array.Length];
        var handle = System.Runtime.InteropServices.GCHandle.Alloc(array, System.Runtime.InteropServices.GCHandleType.Pinned);
        System.Runtime.InteropServices.Marshal.Copy(handle.AddrOfPinnedObject(), bytes, 0, bytes.Length);
        handle.Free();
        return bytes;
    }

    private static void CopyBack(byte[] bytes, Array array)
    {
        var handle = System.Runtime.InteropServices.GCHandle.Alloc(array, System.Runtime.InteropServices.GCHandleType.Pinned);
        System.Runtime.InteropServices.Marshal.Copy(bytes, 0, handle.AddrOfPinnedObject(), bytes.Length);
        handle.Free();
    }

    /// <summary>Deep copy of an argument list, so that machine and CPU start from the same data.</summary>
    public static object[] Copy(object[] args) => [.. args.Select(a => a is Array array ? array.Clone() : a)];
}
