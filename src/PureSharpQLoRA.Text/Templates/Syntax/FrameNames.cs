namespace PureSharpQLoRA.Text.Templates;

/// <summary>The names that one frame of a template reads and sets, in order.</summary>
/// <remarks>
/// Jinja decides before rendering where every name of a frame comes from. A name that a frame sets before it ever reads it, and not only under a condition, belongs
/// to the frame from its beginning: even a frame within it, rendered before the name is set, then finds it unset instead of the variable that the template was given.
/// </remarks>
internal sealed class FrameNames
{
    private readonly FrameNames? _parent;
    private readonly List<FrameNames> _inner = [];
    private readonly HashSet<string> _known = [];
    private List<Event> _events = [];

    public FrameNames(FrameNames? parent)
    {
        _parent = parent;
        parent?._inner.Add(this);
    }

    private enum EventKind
    {
        Read,
        Set,
        Parameter,
        Branches,
    }

    /// <summary>The statements of the frame.</summary>
    public Body? Body { get; set; }

    public void Read(string name) => _events.Add(new Event(EventKind.Read, name, []));

    public void Set(string name) => _events.Add(new Event(EventKind.Set, name, []));

    public void Parameter(string name) => _events.Add(new Event(EventKind.Parameter, name, []));

    /// <summary>Begins a branch of a condition.</summary>
    /// <returns>What <see cref="EndBranch"/> needs.</returns>
    public object BeginBranch()
    {
        List<Event> outer = _events;
        _events = [];
        return outer;
    }

    /// <summary>Ends a branch.</summary>
    /// <returns>What <see cref="Join"/> needs.</returns>
    public object EndBranch(object outer)
    {
        List<Event> branch = _events;
        _events = (List<Event>)outer;
        return branch;
    }

    /// <summary>Joins the branches of a condition: what holds, what its elifs hold, and its else.</summary>
    public void Join(params object[] branches) => _events.Add(new Event(EventKind.Branches, "", Array.ConvertAll(branches, static branch => (List<Event>)branch)));

    /// <summary>Joins a branch that may be passed over.</summary>
    public void JoinOne(object branch) => Join(branch, new List<Event>());

    /// <summary>Tells the bodies of this frame and of those within it which names are unset when they begin.</summary>
    public void Resolve()
    {
        var symbols = new Symbols();
        Walk(_events, symbols);
        _known.UnionWith(symbols.Unset.Keys);
        if (Body is not null)
        {
            Body.UnsetNames = [.. symbols.Unset.Where(static pair => pair.Value).Select(static pair => pair.Key)];
        }

        foreach (FrameNames frame in _inner)
        {
            frame.Resolve();
        }
    }

    private bool IsKnownOutside(string name)
    {
        for (FrameNames? frame = _parent; frame is not null; frame = frame._parent)
        {
            if (frame._known.Contains(name))
            {
                return true;
            }
        }

        return false;
    }

    private void Walk(List<Event> events, Symbols symbols)
    {
        foreach (Event item in events)
        {
            switch (item.Kind)
            {
                case EventKind.Read when !IsKnownOutside(item.Name):
                    symbols.Unset.TryAdd(item.Name, false);
                    break;
                case EventKind.Set:
                    symbols.Stores.Add(item.Name);
                    symbols.Unset.TryAdd(item.Name, !IsKnownOutside(item.Name));
                    break;
                case EventKind.Parameter:
                    symbols.Stores.Add(item.Name);
                    symbols.Unset[item.Name] = false;
                    break;
                case EventKind.Branches:
                    WalkBranches(item.Branches, symbols);
                    break;
            }
        }
    }

    private void WalkBranches(List<Event>[] branches, Symbols symbols)
    {
        Symbols[] results = Array.ConvertAll(branches, branch =>
        {
            var copy = new Symbols(symbols);
            Walk(branch, copy);
            return copy;
        });
        HashSet<string> before = [.. symbols.Stores];
        foreach (Symbols result in results)
        {
            foreach ((string name, bool unset) in result.Unset)
            {
                symbols.Unset[name] = unset;
            }

            symbols.Stores.UnionWith(result.Stores);
        }

        foreach (string name in symbols.Stores)
        {
            if (!before.Contains(name) && !Array.TrueForAll(results, result => result.Stores.Contains(name)))
            {
                symbols.Unset[name] = false;
            }
        }
    }

    private readonly record struct Event(EventKind Kind, string Name, List<Event>[] Branches);

    private sealed class Symbols
    {
        public Symbols()
        {
        }

        public Symbols(Symbols from)
        {
            Unset = new Dictionary<string, bool>(from.Unset);
            Stores = [.. from.Stores];
        }

        /// <summary>The names of the frame, and whether each is unset at its beginning.</summary>
        public Dictionary<string, bool> Unset { get; } = [];

        public HashSet<string> Stores { get; } = [];
    }
}
