using System.Numerics;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's operators on values of any type.</summary>
internal static class Operators
{
    public static object Apply(RenderContext context, string sign, object left, object right)
    {
        if (left is Markup || right is Markup)
        {
            context.ChargeText(2 * (16 + Container.WeightOf(left) + Container.WeightOf(right)) * 16);
            return (sign == "+" ? Markup.Sum(left, right) : null) ?? Apply(context, sign, Markup.Plain(left), Markup.Plain(right));
        }

        if (Numbers.Is(left) && Numbers.Is(right))
        {
            if (left is BigInteger || right is BigInteger || sign == "**")
            {
                context.Charge(1000);
            }

            return sign switch
            {
                "+" => Numbers.Add(left, right),
                "-" => Numbers.Subtract(left, right),
                "*" => Numbers.Multiply(left, right),
                "/" => Numbers.Divide(left, right),
                "//" => Numbers.FloorDivide(left, right),
                "%" => Numbers.Modulo(left, right),
                _ => Numbers.Power(left, right),
            };
        }

        if (sign == "%" && left is string format)
        {
            return PercentFormat.Apply(context, format, right);
        }

        if ((left as Undefined ?? right as Undefined) is { } undefined)
        {
            throw undefined.Fault();
        }

        switch (sign)
        {
            case "+" when left is string a && right is string b:
                context.ChargeText((long)a.Length + b.Length);
                return a + b;
            case "+" when left is ListValue a && right is ListValue b:
                return new ListValue(Joined(context, a, b));
            case "+" when left is TupleValue a && right is TupleValue b:
                return new TupleValue(Joined(context, a, b));
            case "*" when Numbers.IsInteger(right) && left is string or Sequence:
                return Repeat(context, left, right);
            case "*" when Numbers.IsInteger(left) && right is string or Sequence:
                return Repeat(context, right, left);
            default:
                throw TemplateFault.Unsupported($"'{sign}'", left, right);
        }
    }

    public static bool Compare(RenderContext context, string sign, object left, object right)
    {
        (left, right) = (Markup.Plain(left), Markup.Plain(right));
        context.Charge(1 + Math.Min(Container.WeightOf(left), Container.WeightOf(right)));
        switch (sign)
        {
            case "==":
                return Comparison.AreEqual(left, right);
            case "!=":
                return !Comparison.AreEqual(left, right);
            case "in" or "not in":
                context.Charge(Container.WeightOf(right));
                return Comparison.Contains(right, left) == (sign == "in");
            default:
                int? order = Comparison.Order(left, right, sign);
                return sign switch
                {
                    "<" => order < 0,
                    "<=" => order <= 0,
                    ">" => order > 0,
                    _ => order >= 0,
                };
        }
    }

    private static object[] Joined(RenderContext context, Sequence left, Sequence right)
    {
        context.Charge((left.Items.Length + right.Items.Length) >> 1);
        return [.. left.Items, .. right.Items];
    }

    private static object Repeat(RenderContext context, object value, object times)
    {
        BigInteger wanted = Numbers.Big(times);
        int length = value is string text ? text.Length : ((Sequence)value).Items.Length;
        if (wanted.Sign <= 0 || length == 0)
        {
            return value is string ? "" : value is ListValue ? new ListValue([]) : TupleValue.Empty;
        }

        if (wanted * length > TemplateLimits.TextLength)
        {
            throw new TemplateFault($"a value of {length} elements repeated {wanted} times is too long");
        }

        int count = (int)wanted;
        if (value is string repeated)
        {
            context.ChargeText((long)count * length);
            return string.Create(count * length, repeated, static (to, part) =>
            {
                for (int at = 0; at < to.Length; at += part.Length)
                {
                    part.CopyTo(to[at..]);
                }
            });
        }

        context.Charge((long)count * length);
        object[] items = new object[count * length];
        for (int i = 0; i < count; i++)
        {
            ((Sequence)value).Items.CopyTo(items, i * length);
        }

        return value is ListValue ? new ListValue(items) : new TupleValue(items);
    }
}
