namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>Times launches by events of the card around each, which the host does not wait for until the times are read.</summary>
internal sealed class LaunchTimer(Driver driver, nint stream) : IDisposable
{
    private readonly List<(nint Kernel, nint Start, nint End)> _launches = [];

    /// <summary>Marks the begin of a launch.</summary>
    public void Begin(nint kernel)
    {
        nint start = driver.CreateEvent(timed: true), end = driver.CreateEvent(timed: true);
        _launches.Add((kernel, start, end));
        driver.RecordEvent(start, stream);
    }

    /// <summary>Marks its end.</summary>
    public void End() => driver.RecordEvent(_launches[^1].End, stream);

    /// <summary>Waits for all launches and adds their times up by kernel, the longest first.</summary>
    public IReadOnlyList<KernelTime> Read(IReadOnlyDictionary<nint, string> names)
    {
        driver.Synchronize(stream);
        return
        [
            .. _launches.GroupBy(launch => launch.Kernel)
                .Select(group => new KernelTime(names[group.Key], group.Count(), group.Sum(launch => (double)driver.ElapsedMilliseconds(launch.Start, launch.End))))
                .OrderByDescending(time => time.Milliseconds),
        ];
    }

    public void Dispose()
    {
        foreach ((_, nint start, nint end) in _launches)
        {
            driver.DestroyEvent(start);
            driver.DestroyEvent(end);
        }
    }
}
