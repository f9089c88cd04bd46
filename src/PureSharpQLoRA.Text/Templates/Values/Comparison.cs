using System.Numerics;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's equality, order and truth of values.</summary>
internal static class Comparison
{
    public static bool IsTrue(object value) => value switch
    {
        bool flag => flag,
        None or Undefined => false,
        string text => text.Length > 0,
        Markup markup => markup.Text.Length > 0,
        long integer => integer != 0,
        BigInteger integer => !integer.IsZero,
        double number => number != 0,
        Sequence sequence => sequence.Items.Length > 0,
        DictValue dict => dict.Length > 0,
        RangeValue range => range.Length > 0,
        DictView view => view.Owner.Length > 0,
        LoopState loop => loop.Length > 0,
        _ => true,
    };

    public static bool AreEqual(object left, object right)
    {
        (left, right) = (Markup.Plain(left), Markup.Plain(right));
        if (left is string leftText)
        {
            return right is string rightText && leftText == rightText;
        }

        if (Numbers.Is(left))
        {
            return Numbers.Is(right) && Numbers.Compare(left, right) == 0;
        }

        if (ReferenceEquals(left, right))
        {
            return true;
        }

        return (left, right) switch
        {
            (ListValue a, ListValue b) => AreEqual(a.Items, b.Items),
            (TupleValue a, TupleValue b) => AreEqual(a.Items, b.Items),
            (DictValue a, DictValue b) => a.Length == b.Length && a.Entries.All(entry => b.TryGet(entry.Key, out object other) && AreEqual(entry.Value, other)),
            (Undefined, Undefined) => true,
            (RangeValue a, RangeValue b) => a.Length == b.Length && (a.Length == 0 || (a.Start == b.Start && (a.Length == 1 || a.Step == b.Step))),
            (DictView { Kind: not "dict_values" } a, DictView { Kind: not "dict_values" } b) => a.Owner.Length == b.Owner.Length && a.Items().All(item => Contains(b, item)),
            _ => false,
        };
    }

    /// <summary>Whether two values are one object; numbers and texts count as one where they are of one type and equal.</summary>
    public static bool AreSame(object left, object right) =>
        ReferenceEquals(left, right) || (left.GetType() == right.GetType() && left is string or bool or long or double or BigInteger && left.Equals(right));

    /// <summary>Below, at or above zero; null where neither is smaller, as with NaN.</summary>
    /// <exception cref="TemplateFault">The values have no order.</exception>
    public static int? Order(object left, object right, string sign)
    {
        if (left is string leftText && right is string rightText)
        {
            return PythonText.Compare(leftText, rightText);
        }

        if (Numbers.Is(left) && Numbers.Is(right))
        {
            return Numbers.Compare(left, right);
        }

        if ((left, right) is (ListValue, ListValue) or (TupleValue, TupleValue))
        {
            object[] a = ((Sequence)left).Items, b = ((Sequence)right).Items;
            for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
            {
                if (!AreEqual(a[i], b[i]))
                {
                    return Order(a[i], b[i], sign);
                }
            }

            return a.Length.CompareTo(b.Length);
        }

        throw (left as Undefined ?? right as Undefined)?.Fault() ?? TemplateFault.Unsupported($"'{sign}'", left, right);
    }

    /// <summary>Python's <c>item in container</c>.</summary>
    public static bool Contains(object container, object item)
    {
        switch (container)
        {
            case string text:
                return item is string part ? text.Contains(part, StringComparison.Ordinal)
                    : throw new TemplateFault($"'in' on a str needs a str on its left, and not {TypeNames.Of(item)}");
            case DictValue dict:
                return dict.TryGet(item, out _);
            case DictView { Kind: "dict_keys" } view:
                return view.Owner.TryGet(item, out _);
            case DictView { Kind: "dict_items" } view:
                return item is TupleValue { Items.Length: 2 } pair && view.Owner.TryGet(pair.Items[0], out object value) && AreEqual(value, pair.Items[1]);
            default:
                foreach (object element in Iteration.Of(container))
                {
                    if (AreEqual(element, item))
                    {
                        return true;
                    }
                }

                return false;
        }
    }

    private static bool AreEqual(object[] left, object[] right)
    {
        bool equal = left.Length == right.Length;
        for (int i = 0; equal && i < left.Length; i++)
        {
            equal = ReferenceEquals(left[i], right[i]) || AreEqual(left[i], right[i]);
        }

        return equal;
    }
}
