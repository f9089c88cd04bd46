namespace PureSharpQLoRA.PtxMachine;

/// <summary>The dot-modifiers of one instruction; a decoder takes what it implements and the rest is an error.</summary>
internal sealed class ModifierList(InstructionSyntax syntax)
{
    private readonly List<string> rest = [.. syntax.Modifiers];

    public bool Take(string name) => rest.Remove(name);

    /// <summary>Takes the first of the given modifiers that is present.</summary>
    public string? TakeAny(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (rest.Remove(name))
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>Takes every modifier the predicate accepts (cache and eviction hints).</summary>
    public void Skip(Predicate<string> accepts) => rest.RemoveAll(accepts);

    public string TakeFirst()
    {
        if (rest.Count == 0)
        {
            throw syntax.Error("a modifier is missing");
        }

        string first = rest[0];
        rest.RemoveAt(0);
        return first;
    }

    public ScalarType TakeType()
    {
        for (int i = 0; i < rest.Count; i++)
        {
            if (ScalarTypes.TryParse(rest[i], out ScalarType type)) { rest.RemoveAt(i); return type; }
        }

        throw syntax.Error("the instruction has no type");
    }

    public RoundMode? TakeRounding() => TakeAny("rn", "rz", "rm", "rp") switch
    {
        "rn" => RoundMode.NearestEven,
        "rz" => RoundMode.Zero,
        "rm" => RoundMode.Down,
        "rp" => RoundMode.Up,
        _ => null,
    };

    public void Done()
    {
        if (rest.Count != 0)
        {
            throw syntax.Error($"modifier .{rest[0]} is not supported on {syntax.Opcode}");
        }
    }
}
