namespace PureSharpQLoRA.Cli;

/// <summary>Ctrl-C: the first one asks to finish the step and save, the second one ends the process at once.</summary>
internal sealed class ConsoleInterrupts : IDisposable
{
    private readonly CancellationTokenSource _source = new();

    public ConsoleInterrupts() => Console.CancelKeyPress += OnCancel;

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        Console.CancelKeyPress -= OnCancel;
        _source.Dispose();
    }

    private void OnCancel(object? sender, ConsoleCancelEventArgs e)
    {
        if (_source.IsCancellationRequested)
        {
            return;
        }

        e.Cancel = true;
        _source.Cancel();
    }
}
