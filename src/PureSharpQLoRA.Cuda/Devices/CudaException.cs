namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>The NVIDIA driver refused or failed a call.</summary>
public sealed class CudaException : Exception
{
    internal CudaException(string message, int code)
        : base(message) => Code = code;

    /// <summary>The driver's error number (CUresult).</summary>
    public int Code { get; }
}
