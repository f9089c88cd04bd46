namespace PureSharpQLoRA.PtxMachine;

/// <summary>A parameter of a kernel as PTX declares it.</summary>
public sealed record KernelParameter(string Name, int Offset, int Size, int Alignment);

/// <summary>A kernel (.entry) of a module: its parameter layout and resource needs.</summary>
public sealed class PtxKernel
{
    internal PtxKernel(PtxFunction function) => Function = function;

    internal PtxFunction Function { get; }

    public string Name => Function.Name;

    public IReadOnlyList<KernelParameter> Parameters { get; internal set; } = [];

    /// <summary>Bytes of the packed parameter buffer.</summary>
    public int ParameterBytes { get; internal set; }

    /// <summary>Static shared memory in bytes, as ptxas would count it.</summary>
    public long StaticSharedBytes { get; internal set; }

    /// <summary>.maxntid (the product of its dimensions), 0 where there is none.</summary>
    public int MaxThreadsPerBlock { get; internal set; }

    /// <summary>.reqntid, null where there is none.</summary>
    public (int X, int Y, int Z)? RequiredBlock { get; internal set; }
}

/// <summary>A parsed .entry or .func.</summary>
internal sealed class PtxFunction(string name, bool isKernel)
{
    public string Name { get; } = name;
    public bool IsKernel { get; } = isKernel;
    public bool IsDefined { get; set; }
    public FrameLayout Frame { get; } = new();
    public List<ParamSymbol> Parameters { get; } = [];
    public List<ParamSymbol> Returns { get; } = [];
    public List<InstructionSyntax> Body { get; } = [];
    public List<VariableSymbol> Shared { get; } = [];
    public List<VariableSymbol> Locals { get; } = [];
    /// <summary>Index of the first instruction in the module's code.</summary>
    public int Start { get; set; }
    public int LocalSize { get; set; }
    public int KernelParameterBytes { get; set; }
    public int MaxThreads { get; set; }
    public (int, int, int)? RequiredBlock { get; set; }
    /// <summary>Initial frame contents: constants in place, registers filled with a poison pattern.</summary>
    public byte[] FrameTemplate { get; set; } = [];
}
