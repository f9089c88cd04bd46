namespace PureSharpQLoRA.Core.Cpu;

/// <summary>
/// Work that the members of a team share by taking parts from a common counter. A member may be called
/// late, twice or never; whoever is called must take parts until none are left.
/// </summary>
internal interface ITeamWork
{
    void Run(int member);
}

/// <summary>
/// A fixed set of threads that run the same job together. A waiting worker first spins for a short
/// while, because a training step issues hundreds of products back to back, and then sleeps.
/// A job hands out its parts from a shared counter, so the caller can finish it alone: it never waits
/// for a worker that has not begun (asleep, or without a core on a busy machine), only for one at work.
/// A job is a long-lived object, so starting one allocates nothing.
/// </summary>
internal sealed class ThreadTeam : IDisposable
{
    private const int SpinsBeforeSleep = 2000;
    private const int Closed = int.MinValue;

    private readonly Lock _exclusive = new();
    private readonly object _gate = new();
    private readonly Thread[] _workers;
    private ITeamWork? _work;
    private volatile int _generation;
    private volatile bool _stopping;
    private Exception? _failure;

    /// <summary>How many workers are inside the job, plus <see cref="Closed"/> when no more may enter.</summary>
    private int _inside = Closed;

    public ThreadTeam(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        _workers = new Thread[size - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            int member = i + 1;
            _workers[i] = new Thread(() => Work(member)) { IsBackground = true, Name = $"puresharp {member}" };
            _workers[i].Start();
        }
    }

    public int Size { get; }

    /// <summary>Runs the job on the caller (member 0) and on the workers that get to it, and returns when it is done.</summary>
    public void Run(ITeamWork work)
    {
        if (Size == 1)
        {
            work.Run(0);
            return;
        }

        lock (_exclusive)
        {
            _work = work;
            Volatile.Write(ref _inside, 0);
            lock (_gate)
            {
                _generation++;
                Monitor.PulseAll(_gate);
            }

            try
            {
                work.Run(0);
            }
            finally
            {
                Interlocked.Or(ref _inside, Closed);
                SpinWait wait = default;
                while (Volatile.Read(ref _inside) != Closed)
                {
                    wait.SpinOnce(sleep1Threshold: -1);
                }
            }

            Exception? failure = Interlocked.Exchange(ref _failure, null);
            if (failure != null)
            {
                throw new AggregateException(failure);
            }
        }
    }

    public void Dispose()
    {
        _stopping = true;
        lock (_gate)
        {
            _generation++;
            Monitor.PulseAll(_gate);
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }
    }

    private void Work(int member)
    {
        int seen = 0;
        while (true)
        {
            for (int spin = 0; spin < SpinsBeforeSleep && _generation == seen; spin++)
            {
                Thread.SpinWait(8);
            }

            if (_generation == seen)
            {
                lock (_gate)
                {
                    while (_generation == seen)
                    {
                        Monitor.Wait(_gate);
                    }
                }
            }

            if (_stopping)
            {
                return;
            }

            seen = _generation;
            if (!TryEnter())
            {
                continue;
            }

            try
            {
                _work!.Run(member);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, exception, null);
            }

            Interlocked.Decrement(ref _inside);
        }
    }

    private bool TryEnter()
    {
        int inside = Volatile.Read(ref _inside);
        while (inside >= 0)
        {
            int found = Interlocked.CompareExchange(ref _inside, inside + 1, inside);
            if (found == inside)
            {
                return true;
            }

            inside = found;
        }

        return false;
    }
}
