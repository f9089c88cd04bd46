using System.Diagnostics;
using PureSharpQLoRA.Cli.Commands;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>A line that is drawn over again on a terminal, a few times a second at most; elsewhere it isn't shown.</summary>
internal sealed class LiveLine(CommandContext context) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private long _last;
    private int _length;

    private bool IsShown => context.Host.IsTerminal && !context.IsJson;

    public void Show(string text)
    {
        if (!IsShown)
        {
            return;
        }

        lock (_lock)
        {
            if (_last != 0 && Stopwatch.GetElapsedTime(_last) < Interval)
            {
                return;
            }

            _last = Stopwatch.GetTimestamp();
            Draw(text.Length >= context.Host.Width ? text[..(context.Host.Width - 1)] : text);
        }
    }

    /// <summary>Removes the line, for other output to come.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_length > 0)
            {
                Draw("");
                context.Output.Write('\r');
                _last = 0;
            }
        }
    }

    public void Dispose() => Clear();

    private void Draw(string text)
    {
        context.Output.Write('\r' + text.PadRight(_length));
        context.Output.Flush();
        _length = text.Length;
    }
}
