namespace PureSharpQLoRA.PtxMachine;

/// <summary>How the warp scheduler treats an instruction.</summary>
internal enum Flow : byte
{
    Next,
    Branch,
    BranchIndexed,
    Call,
    Return,
    Exit,
    /// <summary>Runs only when every live lane named in its member mask has arrived (the .sync instructions).</summary>
    Converge,
    Barrier,
}

/// <summary>A decoded instruction; executes for all lanes of a mask at once.</summary>
internal abstract class Instruction
{
    public int Index { get; set; }
    public int Line { get; set; }
    public string Text { get; set; } = "";
    /// <summary>Opcode with modifiers, as written.</summary>
    public string Mnemonic { get; set; } = "";
    /// <summary>Frame offset of the guard predicate's mask word, or -1.</summary>
    public int Guard = -1;
    public bool GuardNegated;
    public Flow Flow = Flow.Next;

    public virtual void Execute(Warp w, uint mask) => throw new NotSupportedException(Text);

    /// <summary>Member mask of a <see cref="Flow.Converge"/> instruction.</summary>
    public virtual uint Members(Warp w, uint mask) => uint.MaxValue;
}
