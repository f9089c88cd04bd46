namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>What one kernel took on the card.</summary>
/// <param name="Kernel">Its name, see <see cref="Compilation.KernelKey.Name"/>.</param>
/// <param name="Launches">How often it was launched.</param>
/// <param name="Milliseconds">All its launches together.</param>
public sealed record KernelTime(string Kernel, int Launches, double Milliseconds);
