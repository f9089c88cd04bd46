namespace PureSharpQLoRA.PtxMachine;

/// <summary>A declared register; <see cref="Slot"/> is its byte offset in the frame (32 lanes, or one mask word for a predicate).</summary>
internal sealed record RegisterSymbol(string Name, ScalarType Type, int Slot);

/// <summary>A .func or call-sequence .param: per-lane storage inside the frame, or an .entry parameter in the launch buffer.</summary>
internal sealed record ParamSymbol(string Name, int Size, int Alignment, bool IsKernel, int Offset, int LaneStride);

/// <summary>A .global, .const, .shared or .local variable.</summary>
internal sealed class VariableSymbol(string name, StateSpace space, long size, int alignment, byte[]? initial, bool isDynamic)
{
    public string Name { get; } = name;
    public StateSpace Space { get; } = space;
    public long Size { get; } = size;
    public int Alignment { get; } = alignment;
    public byte[]? Initial { get; } = initial;
    /// <summary>An .extern .shared array, whose size is the launch's dynamic shared memory.</summary>
    public bool IsDynamic { get; } = isDynamic;
    /// <summary>Address in its own space: known after layout for .shared, frame-relative for .local.</summary>
    public ulong Address { get; set; }
    /// <summary>Index in the module's list of .global/.const variables, whose addresses are set per machine.</summary>
    public int ModuleIndex { get; set; } = -1;
}

internal enum StateSpace { Generic, Global, Shared, Local, Param, Const }

internal abstract record Operand;
internal sealed record RegisterOperand(RegisterSymbol Register, bool Negated, RegisterSymbol? Second) : Operand;
internal sealed record SpecialOperand(string Name) : Operand;
internal sealed record ImmediateOperand(long Bits, double Float, ImmediateKind Kind) : Operand;
internal sealed record VariableOperand(VariableSymbol Variable, long Offset) : Operand;
internal sealed record ParamOperand(ParamSymbol Param, long Offset) : Operand;
internal sealed record AddressOperand(RegisterSymbol? Base, VariableSymbol? Variable, ParamSymbol? Param, long Offset) : Operand;
internal sealed record VectorOperand(IReadOnlyList<Operand> Items) : Operand;
internal sealed record ListOperand(IReadOnlyList<Operand> Items) : Operand;
internal sealed record IdentifierOperand(string Name) : Operand;
internal sealed record SinkOperand(RegisterSymbol? Second = null) : Operand;

internal enum ImmediateKind { Integer, Single, Double, Decimal }

/// <summary>A lexical scope: registers, variables, params and labels declared between braces.</summary>
internal sealed class Scope(Scope? parent)
{
    public Scope? Parent { get; } = parent;
    public Dictionary<string, object> Symbols { get; } = [];
    public Dictionary<string, int> Labels { get; } = [];
    public Dictionary<string, List<string>> BranchTargets { get; } = [];

    public object? Find(string name)
    {
        for (Scope? s = this; s != null; s = s.Parent)
        {
            if (s.Symbols.TryGetValue(name, out object? symbol))
            {
                return symbol;
            }
        }

        return null;
    }

    public int? FindLabel(string name)
    {
        for (Scope? s = this; s != null; s = s.Parent)
        {
            if (s.Labels.TryGetValue(name, out int index))
            {
                return index;
            }
        }

        return null;
    }

    public List<string>? FindTargets(string name)
    {
        for (Scope? s = this; s != null; s = s.Parent)
        {
            if (s.BranchTargets.TryGetValue(name, out List<string>? targets))
            {
                return targets;
            }
        }

        return null;
    }
}

/// <summary>One parsed instruction before decoding.</summary>
internal sealed record InstructionSyntax(
    int Line, string Text, string Opcode, IReadOnlyList<string> Modifiers, IReadOnlyList<Operand> Operands,
    RegisterSymbol? Guard, bool GuardNegated, Scope Scope)
{
    public PtxParseException Error(string message) => new(Line, message, Text);
}
