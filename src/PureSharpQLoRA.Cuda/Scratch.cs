using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

/// <summary>An operand of one launch: a tensor as it is, or a copy in workspace that goes back to the pool once the launch is queued.</summary>
/// <param name="Address">Where it lies.</param>
/// <param name="DataType">Its type.</param>
/// <param name="Buffer">What holds the copy, null for none.</param>
internal readonly record struct Scratch(nint Address, DataType DataType, DeviceBuffer? Buffer) : IDisposable
{
    public void Dispose() => Buffer?.Release();
}
