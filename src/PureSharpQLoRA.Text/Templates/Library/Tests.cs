namespace PureSharpQLoRA.Text.Templates;

/// <summary>What stands after <c>is</c>.</summary>
internal delegate bool Test(RenderContext context, object value, Arguments arguments);

/// <summary>The tests of Jinja.</summary>
internal static class Tests
{
    public static readonly Dictionary<string, Test> All = new()
    {
        ["defined"] = Simple("defined", static value => value is not Undefined),
        ["undefined"] = Simple("undefined", static value => value is Undefined),
        ["none"] = Simple("none", static value => value is None),
        ["boolean"] = Simple("boolean", static value => value is bool),
        ["true"] = Simple("true", static value => value is true),
        ["false"] = Simple("false", static value => value is false),
        ["integer"] = Simple("integer", static value => value is not bool && Numbers.IsInteger(value)),
        ["float"] = Simple("float", static value => value is double),
        ["number"] = Simple("number", Numbers.Is),
        ["string"] = Simple("string", static value => value is string),
        ["mapping"] = Simple("mapping", static value => value is DictValue),
        ["sequence"] = Simple("sequence", static value => value is string or Sequence or DictValue or RangeValue or Undefined),
        ["iterable"] = Simple("iterable", static value => Iteration.TryOf(value) is not null),
        ["callable"] = Simple("callable", static value => value is Callable or LoopState or Undefined),
        ["escaped"] = Simple("escaped", static _ => false),
        ["lower"] = Simple("lower", static value => StringMethods.IsCased(Repr.Text(value), upper: false)),
        ["upper"] = Simple("upper", static value => StringMethods.IsCased(Repr.Text(value), upper: true)),
        ["odd"] = Simple("odd", static value => Comparison.AreEqual(Modulo(value, 2L), 1L)),
        ["even"] = Simple("even", static value => Comparison.AreEqual(Modulo(value, 2L), 0L)),
        ["divisibleby"] = static (_, value, arguments) => Comparison.AreEqual(Modulo(value, arguments.Bind("divisibleby", 1, "num")[0]!), 0L),
        ["sameas"] = static (_, value, arguments) => Comparison.AreSame(value, arguments.Bind("sameas", 1, "other")[0]!),
        ["filter"] = Simple("filter", static value => value is string name && Filters.All.ContainsKey(name)),
        ["test"] = Simple("test", static value => value is string name && All!.ContainsKey(name)),
        ["in"] = Comparing("in"),
        ["=="] = Comparing("=="),
        ["eq"] = Comparing("=="),
        ["equalto"] = Comparing("=="),
        ["!="] = Comparing("!="),
        ["ne"] = Comparing("!="),
        [">"] = Comparing(">"),
        ["gt"] = Comparing(">"),
        ["greaterthan"] = Comparing(">"),
        [">="] = Comparing(">="),
        ["ge"] = Comparing(">="),
        ["<"] = Comparing("<"),
        ["lt"] = Comparing("<"),
        ["lessthan"] = Comparing("<"),
        ["<="] = Comparing("<="),
        ["le"] = Comparing("<="),
    };

    private static Test Simple(string name, Func<object, bool> body) => (_, value, arguments) =>
    {
        arguments.Bind($"the test {name}", 0);
        return body(value);
    };

    private static Test Comparing(string sign) => (context, value, arguments) => Operators.Compare(context, sign, value, arguments.Bind($"the test {sign}", 1, sign == "in" ? "seq" : "")[0]!);

    private static object Modulo(object value, object divisor) => Numbers.Is(value) && Numbers.Is(divisor) ? Numbers.Modulo(value, divisor)
        : throw ((value as Undefined) ?? divisor as Undefined)?.Fault() ?? TemplateFault.Unsupported("'%'", value, divisor);
}
