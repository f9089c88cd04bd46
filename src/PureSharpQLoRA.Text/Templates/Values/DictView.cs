namespace PureSharpQLoRA.Text.Templates;

/// <summary>What a dict's keys(), values() and items() give.</summary>
/// <param name="Owner">The dict.</param>
/// <param name="Kind">Python's name of it.</param>
internal sealed record DictView(DictValue Owner, string Kind)
{
    public IEnumerable<object> Items() => Kind switch
    {
        "dict_keys" => Owner.Keys,
        "dict_values" => Owner.Values,
        _ => Owner.Entries.Select(entry => new TupleValue([entry.Key, entry.Value])),
    };
}
