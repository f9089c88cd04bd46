namespace PureSharpQLoRA.Text.Templates;

/// <summary>Jinja's namespace: the one value whose attributes a template may set.</summary>
internal sealed class Namespace
{
    private readonly OrderedDictionary<string, object> _attributes = [];

    public IEnumerable<KeyValuePair<string, object>> Attributes => _attributes;

    public object? Find(string name) => _attributes.TryGetValue(name, out object? value) ? value : null;

    public void Set(string name, object value)
    {
        _attributes[name] = value;
        if (_attributes.Count > TemplateLimits.RangeLength)
        {
            throw new TemplateFault("a namespace has grown too large");
        }
    }
}
