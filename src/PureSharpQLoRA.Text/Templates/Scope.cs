namespace PureSharpQLoRA.Text.Templates;

/// <summary>The variables of one frame of a template: its top level, one pass of a loop, one call of a macro.</summary>
/// <remarks>Names are interned, so comparing references is enough; frames hold few variables, so a scan beats hashing.</remarks>
internal sealed class Scope(Scope? parent)
{
    private string[] _names = new string[4];
    private object[] _values = new object[4];
    private int _count;

    /// <summary>Whether a macro may still read from this frame after it ended.</summary>
    public bool IsCaptured { get; private set; }

    public object? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            for (int i = scope._count - 1; i >= 0; i--)
            {
                if (ReferenceEquals(scope._names[i], name))
                {
                    return scope._values[i];
                }
            }
        }

        return null;
    }

    public void Set(string name, object value)
    {
        for (int i = 0; i < _count; i++)
        {
            if (ReferenceEquals(_names[i], name))
            {
                _values[i] = value;
                return;
            }
        }

        if (_count == _names.Length)
        {
            Array.Resize(ref _names, _count * 2);
            Array.Resize(ref _values, _count * 2);
        }

        _names[_count] = name;
        _values[_count++] = value;
    }

    public void Clear() => _count = 0;

    public void Capture()
    {
        for (Scope? scope = this; scope is { IsCaptured: false }; scope = scope.Parent)
        {
            scope.IsCaptured = true;
        }
    }

    private Scope? Parent { get; } = parent;
}
