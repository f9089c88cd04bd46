namespace PureSharpQLoRA.PtxMachine;

/// <summary>A parsed, checked and decoded PTX module.</summary>
public sealed class PtxModule
{
    /// <summary>Gap between shared variables, a multiple of the bank cycle so that conflicts stay as on the GPU.</summary>
    private const int SharedGap = 128;

    private readonly Dictionary<string, PtxKernel> kernels = [];
    private readonly Dictionary<PtxKernel, List<VariableSymbol>> sharedByKernel = [];
    private VariableSymbol[] dynamicShared = [];
    private long dynamicNatural;

    private PtxModule(string version, int targetSm) => (Version, TargetSm) = (version, targetSm);

    public string Version { get; }

    /// <summary>The .target architecture, such as 80 for sm_80.</summary>
    public int TargetSm { get; }

    public IReadOnlyCollection<PtxKernel> Kernels => kernels.Values;

    internal Instruction[] Code { get; private set; } = [];

    /// <summary>The module's .global and .const variables (and its .shared ones, which have no device address).</summary>
    internal IReadOnlyList<VariableSymbol> Variables { get; private set; } = [];

    /// <summary>Physical offset at which dynamic shared memory starts.</summary>
    internal int DynamicSharedOffset { get; private set; }

    /// <summary>Parses PTX text. Anything unknown is a <see cref="PtxParseException"/> with line and text.</summary>
    public static PtxModule Parse(string ptx)
    {
        ArgumentNullException.ThrowIfNull(ptx);
        var parser = new PtxParser(ptx);
        parser.ParseModule();
        var module = new PtxModule(parser.Version, parser.TargetSm) { Variables = parser.ModuleVariables };
        PtxFunction[] functions = [.. parser.Functions.Values.Where(f => f.IsDefined)];
        foreach (PtxFunction f in functions.Where(f => f.IsKernel))
        {
            module.AddKernel(f);
        }

        module.LayOutShared(functions);
        foreach (PtxFunction f in functions)
        {
            LayOutLocal(f);
        }

        module.Decode(functions, parser.Functions);
        return module;
    }

    public PtxKernel GetKernel(string name) =>
        kernels.TryGetValue(name, out PtxKernel? kernel) ? kernel
        : throw new PtxLaunchException($"the module has no kernel '{name}' (it has {string.Join(", ", kernels.Keys)})");

    private void AddKernel(PtxFunction f) => kernels.Add(f.Name, new PtxKernel(f)
    {
        Parameters = [.. f.Parameters.Select(p => new KernelParameter(p.Name, p.Offset, p.Size, p.Alignment))],
        ParameterBytes = f.KernelParameterBytes,
        MaxThreadsPerBlock = f.MaxThreads,
        RequiredBlock = f.RequiredBlock,
    });

    /// <summary>
    /// Variables of the module and of device functions come first; those of the kernels overlap after them, since only
    /// one kernel runs. The dynamic array starts after the longest kernel.
    /// </summary>
    private void LayOutShared(PtxFunction[] functions)
    {
        List<VariableSymbol> common = [.. Variables.Where(v => v.Space == StateSpace.Shared), .. functions.Where(f => !f.IsKernel).SelectMany(f => f.Shared)];
        dynamicShared = [.. common.Concat(functions.SelectMany(f => f.Shared)).Where(v => v.IsDynamic).Distinct()];
        common.RemoveAll(v => v.IsDynamic);
        long natural = 0, longest = 0;
        int index = 0, most = 0;
        Place(common, ref natural, ref index);
        (longest, most) = (natural, index);
        foreach (PtxKernel kernel in kernels.Values)
        {
            long end = natural;
            int count = index;
            var own = kernel.Function.Shared.Where(v => !v.IsDynamic).ToList();
            Place(own, ref end, ref count);
            kernel.StaticSharedBytes = end;
            sharedByKernel[kernel] = [.. common, .. own];
            (longest, most) = (Math.Max(longest, end), Math.Max(most, count));
        }
        int alignment = dynamicShared.Select(v => v.Alignment).DefaultIfEmpty(16).Max();
        dynamicNatural = (longest + alignment - 1) / alignment * alignment;
        DynamicSharedOffset = (int)dynamicNatural + SharedGap * most;
        foreach (VariableSymbol v in dynamicShared)
        {
            v.Address = AddressWindows.SharedBase + (ulong)DynamicSharedOffset;
        }
    }

    private static void Place(IEnumerable<VariableSymbol> variables, ref long natural, ref int index)
    {
        foreach (VariableSymbol v in variables)
        {
            natural = (natural + v.Alignment - 1) / v.Alignment * v.Alignment;
            v.Address = AddressWindows.SharedBase + (ulong)(natural + SharedGap * index++);
            natural += v.Size;
        }
    }

    private static void LayOutLocal(PtxFunction f)
    {
        long offset = 0;
        foreach (VariableSymbol v in f.Locals)
        {
            offset = (offset + v.Alignment - 1) / v.Alignment * v.Alignment;
            v.Address = (ulong)offset;
            offset += v.Size;
        }
        f.LocalSize = (int)offset;
    }

    private void Decode(PtxFunction[] functions, Dictionary<string, PtxFunction> all)
    {
        var code = new List<Instruction>();
        foreach (PtxFunction f in functions)
        {
            var decoder = new InstructionDecoder(f, TargetSm);
            f.Start = code.Count;
            foreach (InstructionSyntax s in f.Body)
            {
                Instruction ins = decoder.Decode(s);
                ins.Index = code.Count;
                code.Add(ins);
                if (ins is BranchInstruction b)
                {
                    b.Target = f.Start + Label(s, b.Label);
                }
                else if (ins is BranchIndexedInstruction x)
                {
                    x.Targets = [.. x.Labels.Select(l => f.Start + Label(s, l))];
                }
                else if (ins is CallInstruction c)
                {
                    Link(s, c, all);
                }
            }
            code.Add(new ReturnInstruction { Flow = Flow.Return, Index = code.Count, Line = f.Body.LastOrDefault()?.Line ?? 0, Text = "end of function" });
            f.FrameTemplate = BuildTemplate(f.Frame);
        }
        Code = [.. code];
    }

    private static int Label(InstructionSyntax s, string name) => s.Scope.FindLabel(name) ?? throw s.Error($"unknown label '{name}'");

    private static void Link(InstructionSyntax s, CallInstruction call, Dictionary<string, PtxFunction> all)
    {
        if (!all.TryGetValue(call.Name, out PtxFunction? callee) || !callee.IsDefined)
        {
            throw s.Error($"function '{call.Name}' is not defined in this module");
        }

        if (callee.IsKernel)
        {
            throw s.Error($"'{call.Name}' is a kernel");
        }

        if (callee.Parameters.Count != call.ArgumentCount || callee.Returns.Count != call.ResultCount)
        {
            throw s.Error($"call does not match the signature of '{call.Name}'");
        }

        call.Callee = callee;
    }

    private static byte[] BuildTemplate(FrameLayout layout)
    {
        var frame = new byte[(layout.Size + 63) / 64 * 64];
        Array.Fill(frame, (byte)0xCB);
        foreach (var (slot, bits, width) in layout.Constants)
        {
            for (int i = 0; i < 32; i++)
            {
                if (width == 8)
                {
                    BitConverter.TryWriteBytes(frame.AsSpan(slot + 8 * i), bits);
                }
                else
                {
                    BitConverter.TryWriteBytes(frame.AsSpan(slot + 4 * i), (uint)bits);
                }
            }
        }

        return frame;
    }

    /// <summary>Shared bytes as the hardware counts them.</summary>
    internal long SharedUse(PtxKernel kernel, int dynamicBytes) => dynamicBytes == 0 ? kernel.StaticSharedBytes : dynamicNatural + dynamicBytes;

    /// <summary>Addressable ranges of a launch's shared memory, as physical offsets.</summary>
    internal List<(int Offset, int Size)> SharedRanges(PtxKernel kernel, int dynamicBytes)
    {
        List<(int, int)> ranges = [.. sharedByKernel[kernel].Select(v => ((int)(v.Address - AddressWindows.SharedBase), (int)v.Size))];
        if (dynamicBytes > 0)
        {
            ranges.Add((DynamicSharedOffset, dynamicBytes));
        }

        return ranges;
    }

    internal string DescribeShared(ulong address, LaunchContext launch)
    {
        string best = "no shared variables";
        ulong distance = ulong.MaxValue;
        foreach (VariableSymbol v in sharedByKernel[launch.Kernel])
        {
            Consider(v.Name, v.Address, (ulong)v.Size);
        }

        if (launch.DynamicSharedBytes > 0)
        {
            Consider(dynamicShared.FirstOrDefault()?.Name ?? "dynamic shared memory", AddressWindows.SharedBase + (ulong)DynamicSharedOffset, (ulong)launch.DynamicSharedBytes);
        }

        return best;

        void Consider(string name, ulong start, ulong size)
        {
            ulong gap = address < start ? start - address : address >= start + size ? address - (start + size) + 1 : 0;
            if (gap >= distance)
            {
                return;
            }

            distance = gap;
            best = address < start ? $"{start - address} bytes before '{name}' ({size} bytes)" : $"offset {address - start} of '{name}' ({size} bytes)";
        }
    }
}
