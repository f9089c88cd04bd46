namespace PureSharpQLoRA.Text.Templates;

/// <summary>Methods of dicts; those that change one are refused, as in the immutable sandbox.</summary>
internal static class DictMethods
{
    public static object? Find(DictValue dict, string name) => name switch
    {
        "items" or "keys" or "values" => new BoundMethod<DictValue>(name, dict, (_, owner, arguments) =>
        {
            arguments.Bind(name, 0);
            return new DictView(owner, "dict_" + name);
        }),
        "get" => new BoundMethod<DictValue>(name, dict, static (_, owner, arguments) =>
        {
            object?[] bound = arguments.Bind("get", 1, "", "");
            return owner.TryGet(bound[0]!, out object value) ? value : bound[1] ?? None.Value;
        }),
        "copy" => new BoundMethod<DictValue>(name, dict, static (_, owner, _) => owner),
        "clear" or "pop" or "popitem" or "setdefault" or "update" => Unsafe.Method(dict, name),
        _ => null,
    };
}

/// <summary>Methods of lists and tuples; those that change one are refused, as in the immutable sandbox.</summary>
internal static class SequenceMethods
{
    public static object? Find(Sequence sequence, string name) => name switch
    {
        "count" => new BoundMethod<Sequence>(name, sequence, static (context, owner, arguments) =>
        {
            object item = arguments.Bind("count", 1, "")[0]!;
            context.Charge(owner.Weight);
            return Boxed.Integer(owner.Items.Count(other => Comparison.AreEqual(other, item)));
        }),
        "index" => new BoundMethod<Sequence>(name, sequence, static (context, owner, arguments) =>
        {
            object item = arguments.Bind("index", 1, "")[0]!;
            context.Charge(owner.Weight);
            int at = Array.FindIndex(owner.Items, other => Comparison.AreEqual(other, item));
            return at >= 0 ? Boxed.Integer(at) : throw new TemplateFault("the element is not in the list");
        }),
        "copy" when sequence is ListValue => new BoundMethod<Sequence>(name, sequence, static (_, owner, _) => owner),
        "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" when sequence is ListValue => Unsafe.Method(sequence, name),
        _ => sequence is TupleValue { Names: { } names } tuple && Array.IndexOf(names, name) is >= 0 and int at ? tuple.Items[at] : null,
    };
}

/// <summary>What the sandbox refuses: undefined, until it is used.</summary>
internal static class Unsafe
{
    public static Undefined Method(object owner, string name) => new($"'{name}' would change {TypeNames.Of(owner)}, which templates may not");
}
