namespace PureSharpQLoRA.Text.Templates;

/// <summary>Attributes and elements of values, as Jinja's sandbox gives them out.</summary>
internal static class Attributes
{
    /// <summary><c>value.name</c>: the attribute, else the element.</summary>
    public static object OfName(RenderContext context, object value, string name)
    {
        value = Markup.Plain(value);
        if (value is Undefined undefined)
        {
            throw undefined.Fault();
        }

        return Find(value, name) ?? Element(context, value, name) ?? Undefined.Attribute(value, name);
    }

    /// <summary><c>value[key]</c>: the element, else the attribute.</summary>
    public static object OfElement(RenderContext context, object value, object key)
    {
        (value, key) = (Markup.Plain(value), Markup.Plain(key));
        if (value is Undefined undefined)
        {
            throw undefined.Fault();
        }

        return Element(context, value, key) ?? (key is string name ? Find(value, name) : null) ?? Undefined.Attribute(value, key);
    }

    /// <summary>The attribute alone, or null.</summary>
    public static object? Find(object value, string name)
    {
        switch (value)
        {
            case string text:
                return StringMethods.All.TryGetValue(name, out Func<RenderContext, string, Arguments, object>? method) ? new BoundMethod<string>(name, text, method) : null;
            case DictValue dict:
                return DictMethods.Find(dict, name);
            case Sequence sequence:
                return SequenceMethods.Find(sequence, name);
            case Namespace space:
                return space.Find(name);
            case LoopState loop:
                return loop.Find(name);
            case Macro macro:
                return macro.Find(name);
            case IAttributes owner:
                return owner.Find(name);
            case RangeValue range:
                return name switch
                {
                    "start" => Boxed.Integer(range.Start),
                    "stop" => Boxed.Integer(range.Stop),
                    "step" => Boxed.Integer(range.Step),
                    _ => null,
                };
            default:
                return Numbers.Is(value) ? OfNumber(value, name) : null;
        }
    }

    private static object? OfNumber(object value, string name) => name switch
    {
        "real" => value is bool ? Numbers.Box(Numbers.Big(value)) : value,
        "imag" => value is double ? 0.0 : Boxed.Integer(0),
        "numerator" when Numbers.IsInteger(value) => Numbers.Box(Numbers.Big(value)),
        "denominator" when Numbers.IsInteger(value) => Boxed.Integer(1),
        "bit_length" when Numbers.IsInteger(value) =>
            new BuiltIn(name, (_, _) => Boxed.Integer((long)System.Numerics.BigInteger.Abs(Numbers.Big(value)).GetBitLength())),
        "is_integer" when value is double number => new BuiltIn(name, (_, _) => Boxed.Truth(Math.Floor(number) == number && double.IsFinite(number))),
        _ => null,
    };

    /// <summary>Python's <c>value[key]</c>; null where it would raise a lookup or type error.</summary>
    private static object? Element(RenderContext context, object value, object key)
    {
        switch (value)
        {
            case DictValue dict:
                return DictValue.IsKey(key) && dict.TryGet(key, out object found) ? found : null;
            case Sequence sequence:
                return Index(key, sequence.Items.Length) is { } at ? sequence.Items[at] : null;
            case string text when Numbers.IsInteger(key):
                context.Charge(text.Length >> 6);
                return key is long and >= int.MinValue and <= int.MaxValue ? PythonText.CharacterAt(text, (int)(long)key) : key is bool flag ? PythonText.CharacterAt(text, flag ? 1 : 0) : null;
            case RangeValue range:
                return Index(key, range.Length) is { } element ? range[element] : null;
            default:
                return null;
        }
    }

    private static int? Index(object key, int length)
    {
        if (!Numbers.IsInteger(key))
        {
            return null;
        }

        System.Numerics.BigInteger index = key is long small && small is > int.MinValue and < int.MaxValue ? small : Numbers.Big(key);
        index = index.Sign < 0 ? index + length : index;
        return index.Sign >= 0 && index < length ? (int)index : null;
    }
}

/// <summary>A value with attributes of its own.</summary>
internal interface IAttributes
{
    object? Find(string name);
}
