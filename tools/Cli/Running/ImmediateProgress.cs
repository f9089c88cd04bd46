namespace PureSharpQLoRA.Cli.Running;

/// <summary>Reports on the thread that works: <see cref="Progress{T}"/> would post, and draw late.</summary>
internal sealed class ImmediateProgress<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
