namespace PureSharpQLoRA.Core.Cpu;

/// <summary>
/// A job over items [0, count), taken in runs from a shared counter by the members of a team. Subclasses hold the operands as fields and are
/// used again call after call, so that starting one allocates nothing.
/// </summary>
internal abstract class ParallelRange : ITeamWork
{
    private int _count;
    private int _run;
    private int _next;

    /// <summary>Runs all items, <paramref name="run"/> of them at a turn.</summary>
    public void Start(ThreadTeam team, int count, int run)
    {
        (_count, _run, _next) = (count, Math.Max(1, run), 0);
        if (count <= _run)
        {
            Execute(0, count, 0);
            return;
        }

        team.Run(this);
    }

    void ITeamWork.Run(int member)
    {
        while (true)
        {
            long first = ((long)Interlocked.Increment(ref _next) - 1) * _run;
            if (first >= _count)
            {
                return;
            }

            Execute((int)first, (int)Math.Min(_count, first + _run), member);
        }
    }

    /// <summary>Computes items [first, end) on the given member of the team.</summary>
    protected abstract void Execute(int first, int end, int member);
}
