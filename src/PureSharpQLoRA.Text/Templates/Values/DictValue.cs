namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's dict: entries in the order they were made, under keys that compare as in Python.</summary>
internal sealed class DictValue : Container
{
    private readonly OrderedDictionary<object, object> _entries;

    public DictValue(int capacity = 0) => _entries = new OrderedDictionary<object, object>(capacity, KeyComparer.Instance);

    public int Length => _entries.Count;

    public IEnumerable<object> Keys => _entries.Keys;

    public IEnumerable<object> Values => _entries.Values;

    public IEnumerable<KeyValuePair<object, object>> Entries => _entries;

    /// <summary>Sets an entry; only while the dict is being made.</summary>
    public void Set(object key, object value)
    {
        RequireKey(key);
        Count(key);
        Count(value);
        _entries[key] = value;
    }

    public bool TryGet(object key, out object value)
    {
        RequireKey(key);
        if (_entries.TryGetValue(key, out object? found))
        {
            value = found;
            return true;
        }

        value = None.Value;
        return false;
    }

    public static bool IsKey(object key) => key switch
    {
        ListValue or DictValue => false,
        TupleValue tuple => Array.TrueForAll(tuple.Items, IsKey),
        _ => true,
    };

    private static void RequireKey(object key)
    {
        if (key is Container && !IsKey(key))
        {
            throw new TemplateFault($"{TypeNames.Of(key)} cannot be the key of a dict");
        }
    }
}

/// <summary>Compares keys as Python does: 1, 1.0 and True are one key.</summary>
internal sealed class KeyComparer : IEqualityComparer<object>
{
    public static readonly KeyComparer Instance = new();

    private KeyComparer()
    {
    }

    bool IEqualityComparer<object>.Equals(object? left, object? right) => Comparison.AreEqual(left!, right!);

    public int GetHashCode(object value) => value switch
    {
        string text => text.GetHashCode(StringComparison.Ordinal),
        Markup markup => markup.Text.GetHashCode(StringComparison.Ordinal),
        bool flag => flag ? 1.GetHashCode() : 0.GetHashCode(),
        long integer => integer.GetHashCode(),
        double number when Math.Floor(number) == number && Math.Abs(number) < 1e18 => ((long)number).GetHashCode(),
        double number when Math.Floor(number) == number && double.IsFinite(number) => new System.Numerics.BigInteger(number).GetHashCode(),
        TupleValue tuple => tuple.Items.Aggregate(tuple.Items.Length, (hash, item) => HashCode.Combine(hash, GetHashCode(item))),
        Undefined => 7,
        _ => value.GetHashCode(),
    };
}
