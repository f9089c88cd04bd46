using System.Numerics;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's names of types, for complaints.</summary>
internal static class TypeNames
{
    public static string Of(object value) => value switch
    {
        None => "None",
        bool => "a bool",
        long or BigInteger => "an int",
        double => "a float",
        string or Markup => "a str",
        ListValue => "a list",
        TupleValue => "a tuple",
        DictValue => "a dict",
        Undefined => "an undefined value",
        Namespace => "a namespace",
        RangeValue => "a range",
        LazySequence => "a generator",
        DictView view => view.Kind,
        LoopState => "a loop",
        Callable callable => $"the function {callable.Name}",
        _ => value.GetType().Name,
    };
}
