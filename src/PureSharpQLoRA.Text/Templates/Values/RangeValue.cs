namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's range.</summary>
internal sealed class RangeValue(long start, long stop, long step)
{
    public long Start => start;

    public long Stop => stop;

    public long Step => step;

    public int Length { get; } = Count(start, stop, step);

    public object this[int index] => Boxed.Integer(start + (index * step));

    public IEnumerable<object> Items()
    {
        for (int i = 0; i < Length; i++)
        {
            yield return this[i];
        }
    }

    private static int Count(long start, long stop, long step)
    {
        if (step == 0)
        {
            throw new TemplateFault("the step of a range must not be zero");
        }

        Int128 count = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        return count <= 0 ? 0
            : count <= TemplateLimits.RangeLength ? (int)count
            : throw new TemplateFault($"a range of {count} elements is longer than the {TemplateLimits.RangeLength} that are allowed");
    }
}
