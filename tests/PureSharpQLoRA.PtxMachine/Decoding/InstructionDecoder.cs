namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// Turns parsed instructions of one function into executable ones. Every opcode, modifier, type and operand that is
/// not implemented is a <see cref="PtxParseException"/>.
/// </summary>
internal sealed partial class InstructionDecoder
{
    private readonly PtxFunction function;
    private readonly int targetSm;
    private readonly Dictionary<string, Func<InstructionSyntax, ModifierList, Instruction>> handlers;

    public InstructionDecoder(PtxFunction function, int targetSm)
    {
        this.function = function;
        this.targetSm = targetSm;
        handlers = new()
        {
            ["add"] = DecodeAddSub, ["sub"] = DecodeAddSub, ["addc"] = DecodeCarry, ["subc"] = DecodeCarry,
            ["mul"] = DecodeMultiply, ["mad"] = DecodeMad, ["fma"] = DecodeFma, ["mul24"] = DecodeMul24, ["sad"] = DecodeSad,
            ["div"] = DecodeDivide, ["rem"] = DecodeRemainder, ["min"] = DecodeMinMax, ["max"] = DecodeMinMax,
            ["neg"] = DecodeNegAbs, ["abs"] = DecodeNegAbs, ["copysign"] = DecodeCopySign, ["testp"] = DecodeTestProperty,
            ["rcp"] = DecodeUnaryFloat, ["sqrt"] = DecodeUnaryFloat, ["rsqrt"] = DecodeUnaryFloat, ["sin"] = DecodeUnaryFloat,
            ["cos"] = DecodeUnaryFloat, ["lg2"] = DecodeUnaryFloat, ["ex2"] = DecodeUnaryFloat, ["tanh"] = DecodeUnaryFloat,
            ["and"] = DecodeLogic, ["or"] = DecodeLogic, ["xor"] = DecodeLogic, ["not"] = DecodeNot, ["cnot"] = DecodeCNot,
            ["shl"] = DecodeShift, ["shr"] = DecodeShift, ["shf"] = DecodeFunnelShift, ["lop3"] = DecodeLop3, ["prmt"] = DecodePermute,
            ["bfe"] = DecodeBitFieldExtract, ["bfi"] = DecodeBitFieldInsert, ["popc"] = DecodeBitCount, ["clz"] = DecodeBitCount,
            ["brev"] = DecodeBitReverse, ["bfind"] = DecodeBitFind, ["dp4a"] = DecodeDotProduct, ["dp2a"] = DecodeDotProduct,
            ["setp"] = DecodeSetPredicate, ["set"] = DecodeSet, ["selp"] = DecodeSelect, ["slct"] = DecodeSelectBySign,
            ["mov"] = DecodeMove, ["cvt"] = DecodeConvert, ["cvta"] = DecodeAddressCast, ["isspacep"] = DecodeIsSpace,
            ["ld"] = DecodeLoad, ["ldu"] = DecodeLoad, ["st"] = DecodeStore, ["prefetch"] = DecodeHint, ["prefetchu"] = DecodeHint,
            ["atom"] = DecodeAtomic, ["red"] = DecodeAtomic, ["membar"] = DecodeFence, ["fence"] = DecodeFence,
            ["cp"] = DecodeAsyncCopy, ["ldmatrix"] = DecodeMatrixMove, ["stmatrix"] = DecodeMatrixMove, ["movmatrix"] = DecodeMatrixTranspose,
            ["mma"] = DecodeMma, ["shfl"] = DecodeShuffle, ["vote"] = DecodeVote, ["match"] = DecodeMatch, ["redux"] = DecodeReduceSync,
            ["elect"] = DecodeElect, ["activemask"] = DecodeActiveMask, ["bar"] = DecodeBarrier, ["barrier"] = DecodeBarrier,
            ["bra"] = DecodeBranch, ["brx"] = DecodeBranchIndexed, ["call"] = DecodeCall, ["ret"] = DecodeReturn, ["exit"] = DecodeExit,
            ["trap"] = DecodeTrap, ["brkpt"] = DecodeTrap, ["nanosleep"] = DecodeSleep,
        };
    }

    public Instruction Decode(InstructionSyntax s)
    {
        if (!handlers.TryGetValue(s.Opcode, out var handler))
        {
            throw s.Error($"unknown instruction '{s.Opcode}'");
        }

        var modifiers = new ModifierList(s);
        Instruction instruction = handler(s, modifiers);
        modifiers.Done();
        instruction.Line = s.Line;
        instruction.Text = s.Text;
        instruction.Mnemonic = s.Modifiers.Count == 0 ? s.Opcode : s.Opcode + "." + string.Join('.', s.Modifiers);
        instruction.Guard = s.Guard?.Slot ?? -1;
        instruction.GuardNegated = s.GuardNegated;
        return instruction;
    }

    private void RequireSm(InstructionSyntax s, int sm)
    {
        if (targetSm < sm)
        {
            throw s.Error($"{s.Opcode} in this form needs .target sm_{sm}, the module targets sm_{targetSm}");
        }
    }

    private static void RequireInteger(InstructionSyntax s, ScalarType type)
    {
        if (!type.IsInteger())
        {
            throw s.Error($"{s.Opcode} does not take type {type}");
        }
    }

    private static void RequireCount(InstructionSyntax s, int minimum, int maximum = -1)
    {
        if (s.Operands.Count < minimum || s.Operands.Count > Math.Max(minimum, maximum))
        {
            throw s.Error($"wrong number of operands ({s.Operands.Count})");
        }
    }

    /// <summary>Slot of a destination register whose size must match the type.</summary>
    private static int Target(InstructionSyntax s, int index, ScalarType type)
    {
        if (s.Operands[index] is not RegisterOperand { Negated: false } r)
        {
            throw s.Error($"operand {index} must be a register");
        }

        CheckSize(s, r.Register, type);
        return r.Register.Slot;
    }

    private static void CheckSize(InstructionSyntax s, RegisterSymbol register, ScalarType type)
    {
        if (register.Type == ScalarType.Pred || register.Type.Size() != type.Size())
        {
            throw s.Error($"register {register.Name} ({register.Type}) does not fit type {type}");
        }
    }

    /// <summary>Slot of a source: register, special register or constant.</summary>
    private int Source(InstructionSyntax s, int index, ScalarType type) => Source(s, s.Operands[index], type);

    private int Source(InstructionSyntax s, Operand operand, ScalarType type)
    {
        switch (operand)
        {
            case RegisterOperand { Negated: false } r:
                CheckSize(s, r.Register, type);
                return r.Register.Slot;
            case SpecialOperand special when !SpecialRegisters.IsVolatile(special.Name) && SpecialRegisters.Width(special.Name) == type.SlotWidth():
                return function.Frame.Special(special.Name, SpecialRegisters.Width(special.Name));
            case ImmediateOperand immediate:
                return function.Frame.Constant(ImmediateBits.Convert(immediate, type), type.SlotWidth());
            default:
                throw s.Error("unsupported source operand");
        }
    }

    /// <summary>Slot and width of an operand whose register may be wider than the type (ld, st, cvt).</summary>
    private (int Slot, int Width) Wide(InstructionSyntax s, Operand operand, ScalarType type, bool target)
    {
        switch (operand)
        {
            case SinkOperand when target: return (-1, 4);
            case RegisterOperand { Negated: false } r when r.Register.Type != ScalarType.Pred && r.Register.Type.Size() >= type.Size():
                return (r.Register.Slot, r.Register.Type.SlotWidth());
            case SpecialOperand special when !target && !SpecialRegisters.IsVolatile(special.Name):
                return (function.Frame.Special(special.Name, SpecialRegisters.Width(special.Name)), SpecialRegisters.Width(special.Name));
            case ImmediateOperand immediate when !target:
                return (function.Frame.Constant(ImmediateBits.Convert(immediate, type), type.SlotWidth()), type.SlotWidth());
            default: throw s.Error($"operand does not fit type {type}");
        }
    }

    private static int TargetPredicate(InstructionSyntax s, Operand operand) => operand switch
    {
        RegisterOperand { Negated: false, Register.Type: ScalarType.Pred } r => r.Register.Slot,
        SinkOperand => -1,
        _ => throw s.Error("expected a predicate register"),
    };

    private (int Slot, bool Negated) SourcePredicate(InstructionSyntax s, int index) => s.Operands[index] switch
    {
        RegisterOperand { Register.Type: ScalarType.Pred } r => (r.Register.Slot, r.Negated),
        // a constant predicate: the mask word is the first lane of a broadcast constant
        ImmediateOperand { Kind: ImmediateKind.Integer } i => (function.Frame.Constant(i.Bits != 0 ? uint.MaxValue : 0, 4), false),
        _ => throw s.Error($"operand {index} must be a predicate register"),
    };

    private static long Constant(InstructionSyntax s, int index) =>
        s.Operands[index] is ImmediateOperand { Kind: ImmediateKind.Integer } i ? i.Bits : throw s.Error($"operand {index} must be an integer constant");

    private static Operand[] Items(Operand operand) => operand is VectorOperand v ? [.. v.Items] : [operand];

    private static int[] VectorSlots(InstructionSyntax s, int index, ScalarType type, int count)
    {
        Operand[] items = Items(s.Operands[index]);
        if (items.Length != count)
        {
            throw s.Error($"operand {index} needs {count} registers, has {items.Length}");
        }

        return [.. items.Select(item =>
        {
            if (item is not RegisterOperand { Negated: false } r) { throw s.Error($"operand {index} must hold registers"); } CheckSize(s, r.Register, type);
            return r.Register.Slot;
        })];
    }

    private static AddressRef Address(InstructionSyntax s, int index, StateSpace space)
    {
        if (s.Operands[index] is not AddressOperand a)
        {
            throw s.Error($"operand {index} must be an address");
        }

        if (a.Base is { } register)
        {
            if (register.Type == ScalarType.Pred || register.Type.Size() < 4)
            {
                throw s.Error($"{register.Name} cannot hold an address");
            }

            return new AddressRef(register.Slot, register.Type.SlotWidth(), a.Offset, space, -1, false);
        }
        if (a.Param != null)
        {
            throw s.Error("parameter addresses are only supported by ld.param and st.param");
        }

        if (a.Variable is not { } v)
        {
            return new AddressRef(-1, 8, a.Offset, space, -1, false);
        }

        bool sameSpace = v.Space == space || v.Space is StateSpace.Global or StateSpace.Const && space is StateSpace.Global or StateSpace.Const;
        if (!sameSpace)
        {
            throw s.Error($"{v.Name} is a .{v.Space.ToString().ToLowerInvariant()} variable");
        }

        return new AddressRef(-1, 8, a.Offset + (long)v.Address, space, v.Space is StateSpace.Global or StateSpace.Const ? v.ModuleIndex : -1, v.Space == StateSpace.Local);
    }

    private static Instruction Converging(Instruction instruction)
    {
        instruction.Flow = Flow.Converge;
        return instruction;
    }
}
