using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>An NVIDIA card behind its driver: one context, one stream of work.</summary>
public sealed unsafe class CudaDevice : IKernelDevice
{
    private readonly Driver _driver;
    private readonly int _device;
    private readonly nint _stream;
    private readonly StagingRing _staging;
    private readonly List<nint> _modules = [];
    private readonly Dictionary<nint, string> _names = [];
    private LaunchTimer? _timer;
    private bool _disposed;

    internal CudaDevice(Driver driver, CudaDeviceInfo info)
    {
        if (info.Problem is not null)
        {
            throw new NotSupportedException(info.Problem);
        }

        _driver = driver;
        _device = driver.Device(info.Index);
        Properties = new DeviceProperties(info.Name, info.ComputeCapability, info.Multiprocessors, info.MemoryBytes);
        driver.UseContext(driver.RetainContext(_device));
        _stream = driver.CreateStream();
        _staging = new StagingRing(driver, _stream);
        HostMemory = new PageLockedMemory(driver, _stream);
    }

    /// <inheritdoc/>
    public DeviceProperties Properties { get; }

    /// <inheritdoc/>
    public IDeviceAllocator HostMemory { get; }

    /// <inheritdoc/>
    public long FreeMemoryBytes => _driver.FreeMemory();

    /// <inheritdoc/>
    public bool TryAllocate(long bytes, out nint address) => _driver.TryAllocate(bytes, out address);

    /// <inheritdoc/>
    public void Free(nint address, long bytes)
    {
        if (!_driver.IsLost)
        {
            _driver.Free(address);
        }
    }

    /// <inheritdoc/>
    public nint Load(CompiledKernel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        nint module = _driver.LoadModule(kernel.Ptx, kernel.Key.Name);
        _modules.Add(module);
        nint function = _driver.Function(module, kernel.EntryPoint);
        _names.Add(function, kernel.Key.Name);
        return function;
    }

    /// <inheritdoc/>
    public void Launch(nint kernel, GridSize grid, int threads, ReadOnlySpan<byte> arguments)
    {
        _timer?.Begin(kernel);
        _driver.Launch(kernel, grid, threads, _stream, arguments);
        _timer?.End();
    }

    /// <summary>Times every kernel that is launched from now on.</summary>
    public void StartTiming()
    {
        _timer?.Dispose();
        _timer = new LaunchTimer(_driver, _stream);
    }

    /// <summary>Waits for the work since <see cref="StartTiming"/> and says what each kernel took, the longest first.</summary>
    /// <exception cref="InvalidOperationException">Nothing is timed.</exception>
    public IReadOnlyList<KernelTime> StopTiming()
    {
        using LaunchTimer timer = _timer ?? throw new InvalidOperationException("StartTiming was not called.");
        _timer = null;
        return timer.Read(_names);
    }

    /// <inheritdoc/>
    public void CopyToDevice(ReadOnlySpan<byte> source, nint to) => _staging.Copy(source, to);

    /// <inheritdoc/>
    public void CopyToHost(nint from, Span<byte> to)
    {
        fixed (byte* target = to)
        {
            _driver.CopyToHost((nint)target, from, to.Length, _stream);
            _driver.Synchronize(_stream);
        }
    }

    /// <inheritdoc/>
    public void QueueCopyToHost(nint from, nint to, long bytes) => _driver.CopyToHost(to, from, bytes, _stream);

    /// <inheritdoc/>
    public void QueueCopyFromHost(nint from, nint to, long bytes) => _driver.CopyToDevice(to, from, bytes, _stream);

    /// <inheritdoc/>
    public void CopyOnDevice(nint from, nint to, long bytes) => _driver.CopyOnDevice(to, from, bytes, _stream);

    /// <inheritdoc/>
    public void Clear(nint address, long bytes) => _driver.Clear(address, bytes, _stream);

    /// <inheritdoc/>
    public void Synchronize() => _driver.Synchronize(_stream);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_driver.IsLost)
        {
            return;
        }

        _staging.Dispose();
        _timer?.Dispose();
        foreach (nint module in _modules)
        {
            _driver.UnloadModule(module);
        }

        _driver.DestroyStream(_stream);
        _driver.ReleaseContext(_device);
    }
}
