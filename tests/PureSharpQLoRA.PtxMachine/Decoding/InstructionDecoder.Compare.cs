namespace PureSharpQLoRA.PtxMachine;

/// <summary>setp, set, selp and slct.</summary>
internal sealed partial class InstructionDecoder
{
    private Instruction DecodeSetPredicate(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3, 4);
        string comparison = m.TakeFirst();
        BoolOp op = TakeBoolOp(m);
        bool ftz = m.Take("ftz");
        ScalarType type = m.TakeType();
        var (p, q) = PredicatePair(s, s.Operands[0]);
        if (op != BoolOp.None != (s.Operands.Count == 4))
        {
            throw s.Error("a boolean operator needs a third source");
        }

        var (c, notC) = op == BoolOp.None ? (-1, false) : SourcePredicate(s, 3);
        return Comparison(s, comparison, type, ftz, p, q, Source(s, 1, type), Source(s, 2, type), c, notC, op);
    }

    private Instruction DecodeSet(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        string comparison = m.TakeFirst();
        bool ftz = m.Take("ftz");
        ScalarType result = m.TakeType(), type = m.TakeType();
        if (result.Size() != 4)
        {
            throw s.Error($"set to type {result} is not supported");
        }

        int p = function.Frame.AllocateRegister(ScalarType.Pred);
        Instruction compare = Comparison(s, comparison, type, ftz, p, -1, Source(s, 1, type), Source(s, 2, type), -1, false, BoolOp.None);
        uint yes = result == ScalarType.F32 ? 0x3F800000u : uint.MaxValue;
        return new Sequence(compare, new PredicateToValue(Target(s, 0, result), p, yes));
    }

    private static BoolOp TakeBoolOp(ModifierList m) => m.TakeAny("and", "or", "xor") switch
    {
        "and" => BoolOp.And, "or" => BoolOp.Or, "xor" => BoolOp.Xor, _ => BoolOp.None,
    };

    private static (int P, int Q) PredicatePair(InstructionSyntax s, Operand operand) => operand switch
    {
        RegisterOperand { Register.Type: ScalarType.Pred, Negated: false } r => (r.Register.Slot, r.Second?.Slot ?? -1),
        SinkOperand sink => (-1, sink.Second?.Slot ?? -1),
        _ => throw s.Error("expected a predicate register"),
    };

    private static Instruction Comparison(InstructionSyntax s, string name, ScalarType type, bool ftz, int p, int q, int a, int b, int c, bool notC, BoolOp op)
    {
        Instruction Make<TOp, T>() where TOp : struct, IBinary<T, bool> where T : unmanaged => new Compare<TOp, T>(p, q, a, b, c, notC, op);
        Instruction Float<TOp>() where TOp : struct, IBinary<float, bool> => type switch
        {
            ScalarType.F32 => ftz ? Make<FtzCompare<TOp>, float>() : Make<TOp, float>(),
            ScalarType.F16 => ftz ? Make<HalfCompare<FlushFormat<HalfFormat>, TOp>, uint>() : Make<HalfCompare<HalfFormat, TOp>, uint>(),
            _ => Make<HalfCompare<BFloatFormat, TOp>, uint>(),
        };
        Instruction Signed16<TOp>() where TOp : struct, IBinary<int, bool> => Make<Short<TOp>, uint>();
        Instruction Unsigned16<TOp>() where TOp : struct, IBinary<int, bool> => Make<UShort<TOp>, uint>();

        if (type == ScalarType.F64)
        {
            return name switch
            {
                "eq" => Make<EqN<double>, double>(), "ne" => Make<OrderedNe<double>, double>(),
                "lt" => Make<LtN<double>, double>(), "le" => Make<LeN<double>, double>(), "gt" => Make<GtN<double>, double>(), "ge" => Make<GeN<double>, double>(),
                "equ" => Make<Unordered<EqN<double>, double>, double>(), "neu" => Make<NeN<double>, double>(),
                "ltu" => Make<Unordered<LtN<double>, double>, double>(), "leu" => Make<Unordered<LeN<double>, double>, double>(),
                "gtu" => Make<Unordered<GtN<double>, double>, double>(), "geu" => Make<Unordered<GeN<double>, double>, double>(),
                "num" => Make<BothNumbers<double>, double>(), "nan" => Make<EitherNaN<double>, double>(),
                _ => throw s.Error($"unknown comparison .{name}"),
            };
        }

        if (type is ScalarType.F32 or ScalarType.F16 or ScalarType.BF16)
        {
            return name switch
            {
                "eq" => Float<EqN<float>>(), "ne" => Float<OrderedNe<float>>(),
                "lt" => Float<LtN<float>>(), "le" => Float<LeN<float>>(), "gt" => Float<GtN<float>>(), "ge" => Float<GeN<float>>(),
                "equ" => Float<Unordered<EqN<float>, float>>(), "neu" => Float<NeN<float>>(),
                "ltu" => Float<Unordered<LtN<float>, float>>(), "leu" => Float<Unordered<LeN<float>, float>>(),
                "gtu" => Float<Unordered<GtN<float>, float>>(), "geu" => Float<Unordered<GeN<float>, float>>(),
                "num" => Float<BothNumbers<float>>(), "nan" => Float<EitherNaN<float>>(),
                _ => throw s.Error($"unknown comparison .{name}"),
            };
        }

        RequireInteger(s, type);
        bool unsignedName = name is "lo" or "ls" or "hi" or "hs";
        string plain = name switch { "lo" => "lt", "ls" => "le", "hi" => "gt", "hs" => "ge", _ => name };
        bool signed = type.IsSigned() && !unsignedName;
        return (plain, type.Size(), signed) switch
        {
            ("eq", 4, _) => Make<EqN<uint>, uint>(), ("ne", 4, _) => Make<NeN<uint>, uint>(),
            ("lt", 4, true) => Make<LtN<int>, int>(), ("le", 4, true) => Make<LeN<int>, int>(), ("gt", 4, true) => Make<GtN<int>, int>(), ("ge", 4, true) => Make<GeN<int>, int>(),
            ("lt", 4, _) => Make<LtN<uint>, uint>(), ("le", 4, _) => Make<LeN<uint>, uint>(), ("gt", 4, _) => Make<GtN<uint>, uint>(), ("ge", 4, _) => Make<GeN<uint>, uint>(),
            ("eq", 8, _) => Make<EqN<ulong>, ulong>(), ("ne", 8, _) => Make<NeN<ulong>, ulong>(),
            ("lt", 8, true) => Make<LtN<long>, long>(), ("le", 8, true) => Make<LeN<long>, long>(), ("gt", 8, true) => Make<GtN<long>, long>(), ("ge", 8, true) => Make<GeN<long>, long>(),
            ("lt", 8, _) => Make<LtN<ulong>, ulong>(), ("le", 8, _) => Make<LeN<ulong>, ulong>(), ("gt", 8, _) => Make<GtN<ulong>, ulong>(), ("ge", 8, _) => Make<GeN<ulong>, ulong>(),
            ("eq", 2, _) => Unsigned16<EqN<int>>(), ("ne", 2, _) => Unsigned16<NeN<int>>(),
            ("lt", 2, true) => Signed16<LtN<int>>(), ("le", 2, true) => Signed16<LeN<int>>(), ("gt", 2, true) => Signed16<GtN<int>>(), ("ge", 2, true) => Signed16<GeN<int>>(),
            ("lt", 2, _) => Unsigned16<LtN<int>>(), ("le", 2, _) => Unsigned16<LeN<int>>(), ("gt", 2, _) => Unsigned16<GtN<int>>(), ("ge", 2, _) => Unsigned16<GeN<int>>(),
            _ => throw s.Error($"unsupported comparison .{name}.{type}"),
        };
    }

    private Instruction DecodeSelect(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        ScalarType type = m.TakeType();
        var (p, negated) = SourcePredicate(s, 3);
        return new Select(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), p, negated, type.Size() == 8);
    }

    private Instruction DecodeSelectBySign(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        m.Take("ftz");
        ScalarType type = m.TakeType(), sign = m.TakeType();
        if (sign is not (ScalarType.S32 or ScalarType.F32))
        {
            throw s.Error("slct selects by .s32 or .f32");
        }

        return new SelectBySign(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, sign), sign == ScalarType.F32, type.Size() == 8);
    }
}

/// <summary>Two executable steps that make one PTX instruction.</summary>
internal sealed class Sequence(Instruction first, Instruction second) : Instruction
{
    public override void Execute(Warp w, uint mask)
    {
        first.Execute(w, mask);
        second.Execute(w, mask);
    }
}
