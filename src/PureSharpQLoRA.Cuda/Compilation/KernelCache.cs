using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cuda.Compilation;

/// <summary>Loads each kernel into a device once, when it is first wanted.</summary>
internal sealed class KernelCache(IKernelDevice device)
{
    private readonly KernelCompiler _compiler = KernelCompiler.For(device.Properties.ComputeCapability);
    private readonly Dictionary<KernelKey, nint> _kernels = [];

    /// <summary>Called with the name of each kernel before it is compiled.</summary>
    public Action<string>? Compiling { get; set; }

    /// <summary>The PTX target.</summary>
    public int Architecture => _compiler.Architecture;

    /// <summary>A kernel that is ready to launch.</summary>
    public nint Get(in KernelKey key)
    {
        if (!_kernels.TryGetValue(key, out nint handle))
        {
            Compiling?.Invoke(key.Name);
            handle = device.Load(_compiler.Compile(key));
            _kernels.Add(key, handle);
        }

        return handle;
    }
}
