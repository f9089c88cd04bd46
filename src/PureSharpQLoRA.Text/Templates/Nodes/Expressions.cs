namespace PureSharpQLoRA.Text.Templates;

/// <summary>A value that is written out.</summary>
internal sealed class Constant(int offset, object value) : Expression(offset)
{
    public object Value => value;

    public override object Evaluate(RenderContext context) => value;
}

/// <summary>A variable.</summary>
internal sealed class NameExpression(int offset, string name) : Expression(offset)
{
    public string Name => name;

    public override object Evaluate(RenderContext context) => context.Variable(name);
}

/// <summary><c>[a, b]</c></summary>
internal sealed class ListExpression(int offset, Expression[] items) : Expression(offset)
{
    public override object Evaluate(RenderContext context) => new ListValue(EvaluateAll(context, items, Offset));

    public static object[] EvaluateAll(RenderContext context, Expression[] items, int offset)
    {
        object[] values = new object[items.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = items[i].Evaluate(context);
        }

        context.Charge(1 + values.Length);
        context.Offset = offset;
        return values;
    }
}

/// <summary><c>(a, b)</c>, or <c>a, b</c> where that is allowed; also a target of assignments.</summary>
internal sealed class TupleExpression(int offset, Expression[] items) : Expression(offset)
{
    public Expression[] Items => items;

    public override object Evaluate(RenderContext context) => new TupleValue(ListExpression.EvaluateAll(context, items, Offset));
}

/// <summary><c>{a: b}</c></summary>
internal sealed class DictExpression(int offset, (Expression Key, Expression Value)[] entries) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        var dict = new DictValue(entries.Length);
        foreach ((Expression key, Expression value) in entries)
        {
            object keyValue = key.Evaluate(context), entryValue = value.Evaluate(context);
            context.Offset = Offset;
            dict.Set(keyValue, entryValue);
        }

        context.Charge(1 + entries.Length);
        return dict;
    }
}

/// <summary><c>a if condition else b</c></summary>
internal sealed class Conditional(int offset, Expression condition, Expression then, Expression? otherwise) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        context.Charge(1);
        return Comparison.IsTrue(condition.Evaluate(context)) ? then.Evaluate(context)
            : otherwise?.Evaluate(context) ?? new Undefined("the condition of an 'if' without 'else' was false");
    }
}

/// <summary><c>a and b</c>, <c>a or b</c>: one of the operands.</summary>
internal sealed class Logical(int offset, bool isAnd, Expression left, Expression right) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        context.Charge(1);
        object value = left.Evaluate(context);
        return Comparison.IsTrue(value) == isAnd ? right.Evaluate(context) : value;
    }
}

/// <summary><c>not a</c></summary>
internal sealed class Negation(int offset, Expression operand) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        context.Charge(1);
        return Boxed.Truth(!Comparison.IsTrue(operand.Evaluate(context)));
    }
}

/// <summary><c>-a</c>, <c>+a</c></summary>
internal sealed class SignExpression(int offset, bool isMinus, Expression operand) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object value = operand.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return Numbers.Is(value) ? (isMinus ? Numbers.Negate(value) : value is bool ? Numbers.Box(Numbers.Big(value)) : value)
            : throw (value as Undefined)?.Fault() ?? new TemplateFault($"{TypeNames.Of(value)} has no sign");
    }
}

/// <summary><c>a + b</c> and its kin.</summary>
internal sealed class Arithmetic(int offset, string sign, Expression left, Expression right) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object a = left.Evaluate(context), b = right.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return Operators.Apply(context, sign, a, b);
    }
}

/// <summary><c>a ~ b ~ c</c>: the texts of values in a row.</summary>
internal sealed class Concatenation(int offset, Expression[] parts) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        string[] texts = new string[parts.Length];
        long length = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            object value = parts[i].Evaluate(context);
            context.Offset = Offset;
            texts[i] = Repr.Text(value);
            length += texts[i].Length;
        }

        context.ChargeText(length + 8);
        return string.Concat(texts);
    }
}

/// <summary><c>a &lt; b == c</c>: every neighbouring pair must hold.</summary>
internal sealed class ComparisonChain(int offset, Expression first, (string Sign, Expression Operand)[] rest) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object left = first.Evaluate(context);
        object result = Boxed.True;
        foreach ((string sign, Expression operand) in rest)
        {
            object right = operand.Evaluate(context);
            context.Offset = Offset;
            result = Boxed.Truth(Operators.Compare(context, sign, left, right));
            if (!(bool)result)
            {
                break;
            }

            left = right;
        }

        return result;
    }
}
