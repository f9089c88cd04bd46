using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Cuda.Kernels.Elementwise;
using PureSharpQLoRA.Cuda.Testing;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The device over a driver: what is called, in which form, and what is said when it fails.</summary>
public sealed class CudaDeviceTests
{
    [Fact]
    public void A_backend_computes_through_the_driver_and_gives_everything_back()
    {
        using var driver = new MachineDriver();
        CudaDevices devices = driver.Find();
        CudaDeviceInfo card = Assert.Single(devices.Cards);
        Assert.Equal(("Machine T4", "7.5", "12.4", "6.5, sm_75"), (card.Name, card.ComputeCapabilityText, card.DriverVersionText, card.PtxVersion));
        Assert.Null(devices.WhyNone);
        using (var backend = new IlgpuBackend(devices.Open()))
        {
            Assert.Equal(DataType.Float16, backend.ActivationType);
            using var scope = new TensorScope(backend.Memory, MemoryPurpose.Activations);
            Tensor x = scope.Allocate(new Shape(1000)), half = scope.Allocate(new Shape(1000), DataType.Float16), y = scope.Allocate(new Shape(1000));
            backend.Fill(x, 0.1f);
            backend.Copy(x, half);
            backend.Copy(half, y);
            Assert.All(backend.ToArray(y), value => Assert.Equal((float)(Half)0.1f, value));
            backend.Fill(y, 0);
            Assert.All(backend.ToArray(y), value => Assert.Equal(0, value));
        }

        Assert.Equal(0, driver.Open);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4 << 20)]
    [InlineData((18 << 20) + 12345)]
    public void Copies_of_any_size_pass_through_the_staging_ring(int bytes)
    {
        using var driver = new MachineDriver();
        using CudaDevice device = driver.Find().Open();
        var source = new byte[bytes];
        new Random(1).NextBytes(source);
        Assert.True(device.TryAllocate(bytes, out nint address));
        device.CopyToDevice(source.AsSpan(0, bytes / 2), address);
        device.CopyToDevice(source.AsSpan(bytes / 2), address + (bytes / 2));
        var back = new byte[bytes];
        device.CopyToHost(address, back);
        Assert.Equal(source, back);
        device.Free(address, bytes);
    }

    [Fact]
    public void Kernels_are_timed_by_name()
    {
        using var driver = new MachineDriver();
        using (CudaDevice device = driver.Find().Open())
        {
            nint kernel = device.Load(KernelCompiler.For(75).Compile(new KernelKey(typeof(SumKernels), nameof(SumKernels.Partial), SumKernels.Threads)));
            Assert.True(device.TryAllocate(2048, out nint address));
            device.Clear(address, 1024);
            device.StartTiming();
            for (int i = 0; i < 3; i++)
            {
                device.Launch(kernel, new GridSize(1), SumKernels.Threads, new LaunchArguments().View(address, 256).View(address + 1024, 1).Int(256).Bytes);
            }

            // The machine's events are one millisecond apart.
            Assert.Equal([new KernelTime("SumKernels.Partial", 3, 3)], device.StopTiming());
            Assert.Throws<InvalidOperationException>(device.StopTiming);
            device.Free(address, 2048);
        }

        Assert.Equal(0, driver.Open);
    }

    [Fact]
    public void A_kernel_that_fails_is_reported_by_the_next_wait()
    {
        using var driver = new MachineDriver();
        using CudaDevice device = driver.Find().Open();
        nint kernel = device.Load(KernelCompiler.For(75).Compile(new KernelKey(typeof(SumKernels), nameof(SumKernels.Partial), SumKernels.Threads)));
        device.Launch(kernel, new GridSize(1), SumKernels.Threads, new LaunchArguments().View(0x40, 256).View(0x40, 1).Int(256).Bytes);
        Assert.Contains("waiting for the card: MACHINE_ERROR_719 (719)", Assert.Throws<CudaException>(device.Synchronize).Message);
        // The driver would refuse to take anything back now; nothing must be asked of it.
        device.Free(0x40, 256);
    }

    [Fact]
    public void Ptx_that_the_driver_refuses_is_named_with_what_it_says()
    {
        using var driver = new MachineDriver();
        using CudaDevice device = driver.Find().Open();
        var key = new KernelKey(typeof(SumKernels), nameof(SumKernels.Partial), SumKernels.Threads);
        string ptx = KernelCompiler.For(75).Compile(key).Ptx.Replace("ret;", "return;", StringComparison.Ordinal);
        string message = Assert.Throws<CudaException>(() => device.Load(new CompiledKernel(key, "x", 75, ptx))).Message;
        Assert.Contains("loading the kernel SumKernels.Partial (", message);
        Assert.Contains("return", message);
    }

    [Fact]
    public void A_full_card_says_what_fills_it()
    {
        using var driver = new MachineDriver { MemoryBytes = 1 << 20 };
        using var backend = new IlgpuBackend(driver.Find().Open());
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Activations);
        scope.Allocate(new Shape(100_000));
        string message = Assert.Throws<DeviceMemoryException>(() => scope.Allocate(new Shape(200_000))).Message;
        Assert.Equal("Out of device memory: 0.8 MiB more were wanted for activations; in use: activations 0.4 MiB.", message);
    }

    [Fact]
    public void Cards_and_drivers_that_are_too_old_are_named()
    {
        using (var driver = new MachineDriver("Machine P100", 60))
        {
            CudaDevices devices = driver.Find();
            Assert.Equal("Machine P100: A card of compute capability 6.0 is too old: 7.0 (Volta) or newer is needed.", devices.WhyNone);
            Assert.Equal(devices.WhyNone, Assert.Throws<NotSupportedException>(() => devices.Open()).Message);
        }

        using (var driver = new MachineDriver("Machine A100", 80) { Version = 10020 })
        {
            Assert.Equal(
                "Machine A100: the driver serves CUDA 10.2, but PTX 7.0 needs 11.0 or newer; update the NVIDIA driver.", driver.Find().WhyNone);
        }

        using (var driver = new MachineDriver { Cards = 0 })
        {
            Assert.Equal("The NVIDIA driver sees no card.", driver.Find().WhyNone);
        }

        using (var driver = new MachineDriver { InitResult = 803 })
        {
            Assert.Equal("The NVIDIA driver did not start: MACHINE_ERROR_803 (803), MACHINE_ERROR_803.", driver.Find().WhyNone);
        }

        using (var driver = new MachineDriver())
        {
            Assert.Equal("There is no card 3: the driver shows 1.", Assert.Throws<NotSupportedException>(() => driver.Find().Open(3)).Message);
        }
    }
}
