using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's slices.</summary>
internal static class Slicing
{
    public static object Apply(RenderContext context, object value, object? start, object? stop, object? step)
    {
        switch (value)
        {
            case string text:
                return OfText(context, text, start, stop, step);
            case Sequence sequence:
                (int from, int count, int by) = Range(sequence.Items.Length, start, stop, step);
                context.Charge(1 + (count >> 2));
                object[] items = new object[count];
                for (int i = 0; i < count; i++)
                {
                    items[i] = sequence.Items[from + (i * by)];
                }

                return value is ListValue ? new ListValue(items) : new TupleValue(items);
            case RangeValue range:
                (int first, int length, int stride) = Range(range.Length, start, stop, step);
                long begin = range.Start + (first * range.Step), inner = range.Step * stride;
                return new RangeValue(begin, begin + (length * inner), inner);
            case Undefined undefined:
                throw undefined.Fault();
            default:
                throw new TemplateFault($"{TypeNames.Of(value)} cannot be sliced");
        }
    }

    private static string OfText(RenderContext context, string text, object? start, object? stop, object? step)
    {
        context.Charge(1 + (text.Length >> 5));
        (int from, int count, int by) = Range(PythonText.Length(text), start, stop, step);
        if (count == 0)
        {
            return "";
        }

        context.ChargeText(count);
        if (by == 1)
        {
            int begin = PythonText.Offset(text, from);
            return text[begin..PythonText.Offset(text, from + count)];
        }

        var result = new StringBuilder(count);
        if (PythonText.IsSimple(text))
        {
            for (int i = 0; i < count; i++)
            {
                result.Append(text[from + (i * by)]);
            }

            return result.ToString();
        }

        object[] characters = [.. PythonText.Characters(text)];
        for (int i = 0; i < count; i++)
        {
            result.Append((string)characters[from + (i * by)]);
        }

        return result.ToString();
    }

    /// <summary>The first index, how many there are, and the step.</summary>
    private static (int Start, int Count, int Step) Range(int length, object? start, object? stop, object? step)
    {
        int by = step is null or None ? 1 : Bound(step);
        if (by == 0)
        {
            throw new TemplateFault("the step of a slice must not be zero");
        }

        // int.MinValue has no counterpart above zero.
        by = Math.Max(by, -int.MaxValue);
        int lowest = by < 0 ? -1 : 0, highest = by < 0 ? length - 1 : length;
        int from = start is null or None ? (by < 0 ? highest : lowest) : Clamp(start);
        int to = stop is null or None ? (by < 0 ? lowest : highest) : Clamp(stop);
        long count = by > 0 ? ((long)to - from + by - 1) / by : ((long)from - to - by - 1) / -(long)by;
        return (from, (int)Math.Max(count, 0), by);

        int Clamp(object bound)
        {
            int index = Bound(bound);
            return Math.Clamp(index < 0 ? Math.Max(index + length, lowest) : index, lowest, highest);
        }
    }

    /// <summary>An index; those out of every range are as good as the last that an int holds.</summary>
    private static int Bound(object value)
    {
        if (!Numbers.IsInteger(value))
        {
            throw (value as Undefined)?.Fault() ?? new TemplateFault($"the bounds of a slice must be integers, and one is {TypeNames.Of(value)}");
        }

        System.Numerics.BigInteger bound = Numbers.Big(value);
        return bound > int.MaxValue ? int.MaxValue : bound < -int.MaxValue ? -int.MaxValue : (int)bound;
    }
}
