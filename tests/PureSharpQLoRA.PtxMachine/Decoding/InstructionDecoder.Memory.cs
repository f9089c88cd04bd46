namespace PureSharpQLoRA.PtxMachine;

/// <summary>Loads, stores, atomics, fences, asynchronous copies and matrix instructions.</summary>
internal sealed partial class InstructionDecoder
{
    /// <summary>Cache, eviction and ordering hints, none of which change what this machine computes.</summary>
    private static bool IsMemoryHint(string modifier) =>
        modifier is "ca" or "cg" or "cs" or "lu" or "cv" or "wb" or "wt" or "nc" or "volatile" or "relaxed" or "acquire" or "release" or "acq_rel"
            or "weak" or "cta" or "gpu" or "sys" or "cluster" or "noftz"
        || modifier.StartsWith("L1::", StringComparison.Ordinal) || modifier.StartsWith("L2::", StringComparison.Ordinal);

    private static StateSpace TakeSpace(ModifierList m) => m.TakeAny("global", "shared", "shared::cta", "local", "const", "param", "param::entry", "param::func") switch
    {
        "global" => StateSpace.Global,
        "shared" or "shared::cta" => StateSpace.Shared,
        "local" => StateSpace.Local,
        "const" => StateSpace.Const,
        null => StateSpace.Generic,
        _ => StateSpace.Param,
    };

    private static int TakeVector(ModifierList m) => m.TakeAny("v2", "v4", "v8") is { } v ? v[1] - '0' : 1;

    private Instruction DecodeLoad(InstructionSyntax s, ModifierList m)
    {
        StateSpace space = TakeSpace(m);
        m.Skip(IsMemoryHint);
        int count = TakeVector(m);
        ScalarType type = m.TakeType();
        RequireCount(s, 2, 3);
        CheckVector(s, type, count);
        var (slots, widths) = Elements(s, 0, type, count, true);
        if (s.Operands[1] is AddressOperand { Param: { } param } a)
        {
            if (space != StateSpace.Param)
            {
                throw s.Error($"{param.Name} is a parameter");
            }

            CheckParamBounds(s, param, a.Offset, type.Size() * count);
            return param.IsKernel
                ? new LoadKernelParam(param.Offset + (int)a.Offset, type, slots, widths)
                : new FrameParamAccess(false, param, (int)a.Offset, type, slots, widths);
        }
        if (space == StateSpace.Param)
        {
            throw s.Error("ld.param needs a parameter name");
        }

        return new Load(Address(s, 1, space), type, slots, widths);
    }

    private Instruction DecodeStore(InstructionSyntax s, ModifierList m)
    {
        StateSpace space = TakeSpace(m);
        m.Skip(IsMemoryHint);
        int count = TakeVector(m);
        ScalarType type = m.TakeType();
        RequireCount(s, 2, 3);
        CheckVector(s, type, count);
        var (slots, widths) = Elements(s, 1, type, count, false);
        if (s.Operands[0] is AddressOperand { Param: { } param } a)
        {
            if (space != StateSpace.Param || param.IsKernel)
            {
                throw s.Error($"{param.Name} cannot be stored to");
            }

            CheckParamBounds(s, param, a.Offset, type.Size() * count);
            return new FrameParamAccess(true, param, (int)a.Offset, type, slots, widths);
        }
        if (space is StateSpace.Param or StateSpace.Const)
        {
            throw s.Error("store to a read-only or unnamed space");
        }

        return new Store(Address(s, 0, space), type, slots, widths);
    }

    private static void CheckVector(InstructionSyntax s, ScalarType type, int count)
    {
        if (type is ScalarType.Pred or ScalarType.TF32 or ScalarType.F16x2 or ScalarType.BF16x2)
        {
            throw s.Error($"memory access does not take type {type}");
        }

        if (type.Size() * count > 16)
        {
            throw s.Error("vector accesses over 16 bytes are not supported");
        }
    }

    private static void CheckParamBounds(InstructionSyntax s, ParamSymbol param, long offset, int bytes)
    {
        if (offset < 0 || offset + bytes > param.Size || offset % bytes != 0)
        {
            throw s.Error($"access outside or misaligned in parameter {param.Name} ({param.Size} bytes)");
        }
    }

    private (int[] Slots, int[] Widths) Elements(InstructionSyntax s, int index, ScalarType type, int count, bool target)
    {
        Operand[] items = Items(s.Operands[index]);
        if (items.Length != count)
        {
            throw s.Error($"{count} elements expected, {items.Length} given");
        }

        var parts = items.Select(item => Wide(s, item, type, target)).ToArray();
        return ([.. parts.Select(p => p.Slot)], [.. parts.Select(p => p.Width)]);
    }

    private Instruction DecodeHint(InstructionSyntax s, ModifierList m)
    {
        TakeSpace(m);
        m.Skip(x => x is "L1" or "L2" || IsMemoryHint(x));
        return new NoOperation();
    }

    private Instruction DecodeFence(InstructionSyntax s, ModifierList m)
    {
        m.Skip(x => x is "cta" or "gl" or "sys" or "gpu" or "cluster" or "sc" or "acq_rel" or "acquire" or "release" or "proxy" or "async" or "alias" or "mbarrier_init"
            || x.StartsWith("async", StringComparison.Ordinal));
        return new NoOperation();
    }

    private Instruction DecodeAtomic(InstructionSyntax s, ModifierList m)
    {
        bool returns = s.Opcode == "atom";
        if (m.Take("async"))
        {
            throw s.Error("red.async is not supported");
        }

        StateSpace space = TakeSpace(m);
        m.Skip(IsMemoryHint);
        string op = m.TakeAny("add", "and", "or", "xor", "exch", "cas", "min", "max", "inc", "dec") ?? throw s.Error("atom needs an operation");
        ScalarType type = m.TakeType();
        if (space is not (StateSpace.Generic or StateSpace.Global or StateSpace.Shared))
        {
            throw s.Error("atomics work on global and shared memory");
        }

        if (Atomic.Operation(op, type) is not { } operation || type.Size() < 2 || type.Size() == 2 && op is not ("add" or "cas"))
        {
            throw s.Error($"{s.Opcode}.{op} does not take type {type}");
        }

        if (type is ScalarType.BF16 or ScalarType.BF16x2)
        {
            RequireSm(s, 90);
        }

        if (!returns && op is "exch" or "cas")
        {
            throw s.Error($"red has no .{op}");
        }

        int first = returns ? 1 : 0;
        RequireCount(s, op == "cas" ? 4 : returns ? 3 : 2);
        int d = !returns || s.Operands[0] is SinkOperand ? -1 : Target(s, 0, type);
        int c = op == "cas" ? Source(s, 3, type) : -1;
        return new Atomic(Address(s, first, space), type, d, Source(s, first + 1, type), c, type.SlotWidth(), operation);
    }

    private Instruction DecodeAsyncCopy(InstructionSyntax s, ModifierList m)
    {
        RequireSm(s, 80);
        if (!m.Take("async") || m.Take("bulk"))
        {
            throw s.Error("only the non-bulk cp.async is supported");
        }

        if (m.Take("commit_group"))
        {
            return new AsyncCommit();
        }

        if (m.Take("wait_all"))
        {
            return new AsyncWait(-1);
        }

        if (m.Take("wait_group")) { RequireCount(s, 1); return new AsyncWait((int)Constant(s, 0)); }
        bool bypass = m.TakeAny("ca", "cg") == "cg";
        if (m.TakeAny("shared", "shared::cta") == null || !m.Take("global"))
        {
            throw s.Error("cp.async copies from .global to .shared");
        }

        m.Skip(x => x.StartsWith("L2::", StringComparison.Ordinal) && x != "L2::cache_hint");
        RequireCount(s, 3, 4);
        long bytes = Constant(s, 2);
        if (bytes is not (4 or 8 or 16) || bypass && bytes != 16)
        {
            throw s.Error("cp-size must be 4, 8 or 16, and 16 with .cg");
        }

        int size = -1, ignore = -1;
        if (s.Operands.Count == 4)
        {
            if (s.Operands[3] is RegisterOperand { Register.Type: ScalarType.Pred } p)
            {
                if (p.Negated)
                {
                    throw s.Error("ignore-src takes no negation");
                }

                ignore = p.Register.Slot;
            }
            else
            {
                size = Source(s, 3, ScalarType.U32);
            }
        }
        return new AsyncCopyInstruction(Address(s, 0, StateSpace.Shared), Address(s, 1, StateSpace.Global), (int)bytes, size, ignore);
    }

    private Instruction DecodeMatrixMove(InstructionSyntax s, ModifierList m)
    {
        bool store = s.Opcode == "stmatrix";
        RequireSm(s, store ? 90 : 75);
        if (!m.Take("sync") || !m.Take("aligned") || !m.Take("m8n8"))
        {
            throw s.Error("expected .sync.aligned.m8n8");
        }

        int count = m.TakeAny("x1", "x2", "x4") is { } x ? x[1] - '0' : throw s.Error("expected .x1, .x2 or .x4");
        bool transposed = m.Take("trans");
        StateSpace space = TakeSpace(m);
        if (space is not (StateSpace.Shared or StateSpace.Generic))
        {
            throw s.Error("the matrices must lie in shared memory");
        }

        if (m.TakeType() != ScalarType.B16)
        {
            throw s.Error("expected .b16");
        }

        RequireCount(s, 2);
        int[] slots = VectorSlots(s, store ? 1 : 0, ScalarType.B32, count);
        return Converging(new MatrixMove(store, Address(s, store ? 0 : 1, space), slots, transposed));
    }

    private Instruction DecodeMatrixTranspose(InstructionSyntax s, ModifierList m)
    {
        RequireSm(s, 75);
        if (!m.Take("sync") || !m.Take("aligned") || !m.Take("m8n8") || !m.Take("trans") || m.TakeType() != ScalarType.B16)
        {
            throw s.Error("expected movmatrix.sync.aligned.m8n8.trans.b16");
        }

        return Converging(new MatrixTranspose(Target(s, 0, ScalarType.B32), Source(s, 1, ScalarType.B32)));
    }

    private Instruction DecodeMma(InstructionSyntax s, ModifierList m)
    {
        if (!m.Take("sync") || !m.Take("aligned"))
        {
            throw s.Error("expected mma.sync.aligned");
        }

        string shape = m.TakeFirst();
        if (!m.Take("row") || !m.Take("col"))
        {
            throw s.Error("expected .row.col");
        }

        bool saturate = m.Take("satfinite");
        ScalarType d = m.TakeType(), a = m.TakeType(), b = m.TakeType(), c = m.TakeType();
        FragmentLayout layout = FragmentLayout.Create(shape, a) ?? throw s.Error($"mma shape {shape} with type {a} is not supported");
        bool sameKind = a == b || a is ScalarType.S8 or ScalarType.U8 && b is ScalarType.S8 or ScalarType.U8;
        bool accumulator = a switch
        {
            ScalarType.F16 => d == c && d is ScalarType.F16 or ScalarType.F32,
            ScalarType.BF16 or ScalarType.TF32 => d == ScalarType.F32 && c == ScalarType.F32,
            ScalarType.F64 => d == ScalarType.F64 && c == ScalarType.F64,
            _ => d == ScalarType.S32 && c == ScalarType.S32,
        };
        if (!sameKind || !accumulator || saturate && d != ScalarType.S32)
        {
            throw s.Error("this combination of mma types is not supported");
        }

        RequireSm(s, a == ScalarType.F16 && shape == "m16n8k8" || a is ScalarType.S8 or ScalarType.U8 && shape == "m8n8k16" ? 75 : 80);
        RequireCount(s, 4);
        int perA = a switch { ScalarType.F16 or ScalarType.BF16 => 2, ScalarType.S8 or ScalarType.U8 => 4, _ => 1 };
        int perC = c == ScalarType.F16 ? 2 : 1;
        ScalarType multiplicand = a == ScalarType.F64 ? ScalarType.F64 : ScalarType.B32;
        ScalarType result = d == ScalarType.F16 ? ScalarType.B32 : d;
        return Converging(new Mma(layout, a, b, c, d,
            VectorSlots(s, 0, result, layout.CCount / perC),
            VectorSlots(s, 1, multiplicand, layout.ACount / perA),
            VectorSlots(s, 2, multiplicand, layout.BCount / perA),
            AccumulatorSlots(s, 3, result, layout.CCount / perC), saturate));
    }

    /// <summary>The accumulator input may hold constants (zeros) as well as registers.</summary>
    private int[] AccumulatorSlots(InstructionSyntax s, int index, ScalarType type, int count)
    {
        Operand[] items = Items(s.Operands[index]);
        if (items.Length != count)
        {
            throw s.Error($"operand {index} needs {count} registers, has {items.Length}");
        }

        return [.. items.Select(item => Source(s, item, type))];
    }
}
