namespace PureSharpQLoRA.PtxMachine;

/// <summary>Integer arithmetic, logic, shifts and bit manipulation.</summary>
internal sealed partial class InstructionDecoder
{
    private Instruction Vector32<TOp>(InstructionSyntax s) where TOp : struct, IVectorBinary<uint> =>
        new VectorBinary<TOp, uint>(Target(s, 0, ScalarType.B32), Source(s, 1, ScalarType.B32), Source(s, 2, ScalarType.B32));

    private Instruction Vector64<TOp>(InstructionSyntax s) where TOp : struct, IVectorBinary<ulong> =>
        new VectorBinary<TOp, ulong>(Target(s, 0, ScalarType.B64), Source(s, 1, ScalarType.B64), Source(s, 2, ScalarType.B64));

    private Instruction Two<TOp, T>(InstructionSyntax s, ScalarType type) where TOp : struct, IBinary<T, T> where T : unmanaged =>
        new Binary<TOp, T, T>(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type));

    private Instruction TwoWide<TOp, TIn, TOut>(InstructionSyntax s, ScalarType type, ScalarType result)
        where TOp : struct, IBinary<TIn, TOut> where TIn : unmanaged where TOut : unmanaged =>
        new Binary<TOp, TIn, TOut>(Target(s, 0, result), Source(s, 1, type), Source(s, 2, type));

    private Instruction Three<TOp, TIn, TAcc>(InstructionSyntax s, ScalarType type, ScalarType result)
        where TOp : struct, ITernary<TIn, TAcc> where TIn : unmanaged where TAcc : unmanaged =>
        new Ternary<TOp, TIn, TAcc>(Target(s, 0, result), Source(s, 1, type), Source(s, 2, type), Source(s, 3, result));

    private Instruction One<TOp, TIn, TOut>(InstructionSyntax s, ScalarType type, ScalarType result)
        where TOp : struct, IUnary<TIn, TOut> where TIn : unmanaged where TOut : unmanaged =>
        new Unary<TOp, TIn, TOut>(Target(s, 0, result), Source(s, 1, type));

    private Instruction DecodeAddSub(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        bool add = s.Opcode == "add";
        if (m.Take("cc"))
        {
            return Carry(s, m.TakeType(), !add, false, true);
        }

        ScalarType type = m.TakeType();
        if (type.IsFloat() || type is ScalarType.F16x2 or ScalarType.BF16x2)
        {
            return DecodeFloatAddSub(s, m, type, add);
        }

        if (m.Take("sat"))
        {
            if (type != ScalarType.S32)
            {
                throw s.Error(".sat needs .s32");
            }

            return add ? Two<AddSat, int>(s, type) : Two<SubSat, int>(s, type);
        }
        if (type is ScalarType.U16x2 or ScalarType.S16x2)
        {
            RequireSm(s, 90);
            return add ? Two<Add16x2, uint>(s, type) : throw s.Error($"type {type} is not supported");
        }
        return type.Size() switch
        {
            2 => add ? Two<Add16, uint>(s, type) : Two<Sub16, uint>(s, type),
            4 => add ? Vector32<Add32>(s) : Vector32<Sub32>(s),
            8 => add ? Vector64<Add64>(s) : Vector64<Sub64>(s),
            _ => throw s.Error($"type {type} is not supported"),
        };
    }

    private Instruction DecodeCarry(InstructionSyntax s, ModifierList m)
    {
        bool carryOut = m.Take("cc");
        return Carry(s, m.TakeType(), s.Opcode == "subc", true, carryOut);
    }

    private Instruction Carry(InstructionSyntax s, ScalarType type, bool subtract, bool carryIn, bool carryOut)
    {
        if (type.Size() < 4 || !type.IsInteger())
        {
            throw s.Error($"type {type} is not supported");
        }

        return new CarryArithmetic(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), subtract, carryIn, carryOut, type.Size() == 8);
    }

    private Instruction DecodeMultiply(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        string? part = m.TakeAny("lo", "hi", "wide");
        ScalarType type = m.TakeType();
        if (part == null)
        {
            if (type.IsInteger())
            {
                throw s.Error("mul needs .lo, .hi or .wide");
            }

            return DecodeFloatMultiply(s, m, type);
        }
        return (part, type) switch
        {
            ("lo", ScalarType.U16 or ScalarType.S16) => Two<Mul16, uint>(s, type),
            ("lo", ScalarType.U32 or ScalarType.S32) => Vector32<Mul32>(s),
            ("lo", ScalarType.U64 or ScalarType.S64) => Two<Mul64, ulong>(s, type),
            ("hi", ScalarType.S16) => Two<MulHiS16, uint>(s, type),
            ("hi", ScalarType.U16) => Two<MulHiU16, uint>(s, type),
            ("hi", ScalarType.S32) => Two<MulHiS32, int>(s, type),
            ("hi", ScalarType.U32) => Two<MulHiU32, uint>(s, type),
            ("hi", ScalarType.S64) => Two<MulHiS64, long>(s, type),
            ("hi", ScalarType.U64) => Two<MulHiU64, ulong>(s, type),
            ("wide", ScalarType.S16) => TwoWide<MulWideS16, uint, uint>(s, type, ScalarType.S32),
            ("wide", ScalarType.U16) => TwoWide<MulWideU16, uint, uint>(s, type, ScalarType.U32),
            ("wide", ScalarType.S32) => TwoWide<MulWideS32, int, long>(s, type, ScalarType.S64),
            ("wide", ScalarType.U32) => TwoWide<MulWideU32, uint, ulong>(s, type, ScalarType.U64),
            _ => throw s.Error($"mul.{part} does not take type {type}"),
        };
    }

    private Instruction DecodeMad(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        string? part = m.TakeAny("lo", "hi", "wide");
        ScalarType type = m.TakeType();
        if (part == null)
        {
            return DecodeFmaOf(s, m, type); // mad.f32 / mad.f64 are fma on every supported target
        }

        if (m.Take("sat"))
        {
            return part == "hi" && type == ScalarType.S32 ? Three<MadSatHi, int, int>(s, type, type) : throw s.Error("mad.sat needs .hi.s32");
        }

        return (part, type) switch
        {
            ("lo", ScalarType.U16 or ScalarType.S16) => Three<Mad16, uint, uint>(s, type, type),
            ("lo", ScalarType.U32 or ScalarType.S32) => new VectorTernary<Mad32, uint>(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, type)),
            ("lo", ScalarType.U64 or ScalarType.S64) => Three<Mad64, ulong, ulong>(s, type, type),
            ("hi", ScalarType.S32) => Three<MadHi<MulHiS32, int>, int, int>(s, type, type),
            ("hi", ScalarType.U32) => Three<MadHi<MulHiU32, uint>, uint, uint>(s, type, type),
            ("hi", ScalarType.S64) => Three<MadHi<MulHiS64, long>, long, long>(s, type, type),
            ("hi", ScalarType.U64) => Three<MadHi<MulHiU64, ulong>, ulong, ulong>(s, type, type),
            ("wide", ScalarType.S16) => Three<MadWideS16, uint, uint>(s, type, ScalarType.S32),
            ("wide", ScalarType.U16) => Three<MadWideU16, uint, uint>(s, type, ScalarType.U32),
            ("wide", ScalarType.S32) => Three<MadWideS32, int, long>(s, type, ScalarType.S64),
            ("wide", ScalarType.U32) => Three<MadWideU32, uint, ulong>(s, type, ScalarType.U64),
            _ => throw s.Error($"mad.{part} does not take type {type}"),
        };
    }

    private Instruction DecodeMul24(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        if (!m.Take("lo"))
        {
            throw s.Error("only mul24.lo is supported");
        }

        ScalarType type = m.TakeType();
        return type == ScalarType.S32 ? Two<Mul24S, int>(s, type) : type == ScalarType.U32 ? Two<Mul24U, uint>(s, type) : throw s.Error($"type {type} is not supported");
    }

    private Instruction DecodeSad(InstructionSyntax s, ModifierList m) => m.TakeType() switch
    {
        ScalarType.S32 => Three<SadS32, int, int>(s, ScalarType.S32, ScalarType.S32),
        ScalarType.U32 => Three<SadU32, uint, uint>(s, ScalarType.U32, ScalarType.U32),
        var type => throw s.Error($"type {type} is not supported"),
    };

    private Instruction DecodeDivide(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        ScalarType type = m.TakeType();
        return type switch
        {
            ScalarType.S16 => Two<DivS16, uint>(s, type),
            ScalarType.U16 => Two<DivU16, uint>(s, type),
            ScalarType.S32 => Two<DivS32, int>(s, type),
            ScalarType.U32 => Two<DivU32, uint>(s, type),
            ScalarType.S64 => Two<DivS64, long>(s, type),
            ScalarType.U64 => Two<DivU64, ulong>(s, type),
            _ => DecodeFloatDivide(s, m, type),
        };
    }

    private Instruction DecodeRemainder(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        ScalarType type = m.TakeType();
        return type switch
        {
            ScalarType.S16 => Two<RemS16, uint>(s, type),
            ScalarType.U16 => Two<RemU16, uint>(s, type),
            ScalarType.S32 => Two<RemS32, int>(s, type),
            ScalarType.U32 => Two<RemU32, uint>(s, type),
            ScalarType.S64 => Two<RemS64, long>(s, type),
            ScalarType.U64 => Two<RemU64, ulong>(s, type),
            _ => throw s.Error($"rem does not take type {type}"),
        };
    }

    private Instruction DecodeMinMax(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        bool min = s.Opcode == "min";
        ScalarType type = m.TakeType();
        return type switch
        {
            ScalarType.S16 => min ? Two<MinS16, uint>(s, type) : Two<MaxS16, uint>(s, type),
            ScalarType.U16 => min ? Two<MinU16, uint>(s, type) : Two<MaxU16, uint>(s, type),
            ScalarType.S32 => min ? Two<MinN<int>, int>(s, type) : Two<MaxN<int>, int>(s, type),
            ScalarType.U32 => min ? Two<MinN<uint>, uint>(s, type) : Two<MaxN<uint>, uint>(s, type),
            ScalarType.S64 => min ? Two<MinN<long>, long>(s, type) : Two<MaxN<long>, long>(s, type),
            ScalarType.U64 => min ? Two<MinN<ulong>, ulong>(s, type) : Two<MaxN<ulong>, ulong>(s, type),
            _ => DecodeFloatMinMax(s, m, type, min),
        };
    }

    private Instruction DecodeNegAbs(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        bool neg = s.Opcode == "neg";
        ScalarType type = m.TakeType();
        return type switch
        {
            ScalarType.S16 => neg ? One<Neg16, uint, uint>(s, type, type) : One<AbsS16, uint, uint>(s, type, type),
            ScalarType.S32 => neg ? One<Neg32, uint, uint>(s, type, type) : One<AbsS32, int, int>(s, type, type),
            ScalarType.S64 => neg ? One<Neg64, ulong, ulong>(s, type, type) : One<AbsS64, long, long>(s, type, type),
            _ => DecodeFloatNegAbs(s, m, type, neg),
        };
    }

    private Instruction DecodeLogic(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        ScalarType type = m.TakeType();
        if (type == ScalarType.Pred)
        {
            var (a, notA) = SourcePredicate(s, 1);
            var (b, notB) = SourcePredicate(s, 2);
            var op = s.Opcode switch { "and" => PredicateOp.And, "or" => PredicateOp.Or, _ => PredicateOp.Xor };
            return new PredicateLogic(TargetPredicate(s, s.Operands[0]), a, notA, b, notB, op);
        }
        RequireInteger(s, type);
        return (s.Opcode, type.Size()) switch
        {
            ("and", 4) => Vector32<And32>(s),
            ("or", 4) => Vector32<Or32>(s),
            ("xor", 4) => Vector32<Xor32>(s),
            ("and", 8) => Vector64<And64>(s),
            ("or", 8) => Vector64<Or64>(s),
            ("xor", 8) => Vector64<Xor64>(s),
            ("and", 2) => Two<And32, uint>(s, type),
            ("or", 2) => Two<Or32, uint>(s, type),
            ("xor", 2) => Two<Xor32, uint>(s, type),
            _ => throw s.Error($"type {type} is not supported"),
        };
    }

    private Instruction DecodeNot(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        ScalarType type = m.TakeType();
        if (type == ScalarType.Pred)
        {
            var (a, notA) = SourcePredicate(s, 1);
            return new PredicateLogic(TargetPredicate(s, s.Operands[0]), a, notA, -1, false, PredicateOp.Not);
        }
        RequireInteger(s, type);
        return type.Size() switch
        {
            2 => One<Not16, uint, uint>(s, type, type),
            4 => One<Not32, uint, uint>(s, type, type),
            8 => One<Not64, ulong, ulong>(s, type, type),
            _ => throw s.Error($"type {type} is not supported"),
        };
    }

    private Instruction DecodeCNot(InstructionSyntax s, ModifierList m)
    {
        ScalarType type = m.TakeType();
        RequireInteger(s, type);
        return type.Size() switch
        {
            2 or 4 => One<CNot32, uint, uint>(s, type, type),
            _ => One<CNot64, ulong, ulong>(s, type, type),
        };
    }

    private Instruction DecodeShift(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 3);
        ScalarType type = m.TakeType();
        if (type.Size() < 2 || !type.IsInteger())
        {
            throw s.Error($"type {type} is not supported");
        }

        ShiftKind kind = s.Opcode == "shl" ? ShiftKind.Left : type.IsSigned() ? ShiftKind.RightSigned : ShiftKind.RightUnsigned;
        return new Shift(Target(s, 0, type), Source(s, 1, type), Source(s, 2, ScalarType.U32), kind, 8 * type.Size());
    }

    private Instruction DecodeFunnelShift(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        bool left = m.TakeAny("l", "r") == "l", wrap = m.TakeAny("wrap", "clamp") == "wrap";
        ScalarType type = m.TakeType();
        return new FunnelShift(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, ScalarType.U32), left, wrap);
    }

    private Instruction DecodeLop3(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 5);
        ScalarType type = m.TakeType();
        return new Lop3Instruction(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, type), (byte)Constant(s, 4));
    }

    private Instruction DecodePermute(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        ScalarType type = m.TakeType();
        PermuteMode mode = m.TakeAny("f4e", "b4e", "rc8", "ecl", "ecr", "rc16") switch
        {
            "f4e" => PermuteMode.F4E, "b4e" => PermuteMode.B4E, "rc8" => PermuteMode.Rc8,
            "ecl" => PermuteMode.Ecl, "ecr" => PermuteMode.Ecr, "rc16" => PermuteMode.Rc16, _ => PermuteMode.Index,
        };
        return new Permute(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, ScalarType.B32), mode);
    }

    private Instruction DecodeBitFieldExtract(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        ScalarType type = m.TakeType();
        return new BitFieldExtract(Target(s, 0, type), Source(s, 1, type), Source(s, 2, ScalarType.U32), Source(s, 3, ScalarType.U32), type.IsSigned(), type.Size() == 8);
    }

    private Instruction DecodeBitFieldInsert(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 5);
        ScalarType type = m.TakeType();
        return new BitFieldInsert(Target(s, 0, type), Source(s, 1, type), Source(s, 2, type), Source(s, 3, ScalarType.U32), Source(s, 4, ScalarType.U32), type.Size() == 8);
    }

    private Instruction DecodeBitCount(InstructionSyntax s, ModifierList m)
    {
        ScalarType type = m.TakeType();
        return (s.Opcode, type.Size()) switch
        {
            ("popc", 4) => One<Popc32, uint, uint>(s, type, ScalarType.U32),
            ("popc", 8) => One<Popc64, ulong, uint>(s, type, ScalarType.U32),
            ("clz", 4) => One<Clz32, uint, uint>(s, type, ScalarType.U32),
            ("clz", 8) => One<Clz64, ulong, uint>(s, type, ScalarType.U32),
            _ => throw s.Error($"type {type} is not supported"),
        };
    }

    private Instruction DecodeBitReverse(InstructionSyntax s, ModifierList m)
    {
        ScalarType type = m.TakeType();
        return type.Size() == 8 ? One<Brev64, ulong, ulong>(s, type, type) : One<Brev32, uint, uint>(s, type, type);
    }

    private Instruction DecodeBitFind(InstructionSyntax s, ModifierList m)
    {
        bool shift = m.Take("shiftamt");
        ScalarType type = m.TakeType();
        return (type, shift) switch
        {
            (ScalarType.U32, false) => One<BFindU32, uint, uint>(s, type, ScalarType.U32),
            (ScalarType.S32, false) => One<BFindS32, uint, uint>(s, type, ScalarType.U32),
            (ScalarType.U64, false) => One<BFindU64, ulong, uint>(s, type, ScalarType.U32),
            (ScalarType.S64, false) => One<BFindS64, ulong, uint>(s, type, ScalarType.U32),
            (ScalarType.U32, true) => One<BFindShift<BFindU32, uint>, uint, uint>(s, type, ScalarType.U32),
            (ScalarType.S32, true) => One<BFindShift<BFindS32, uint>, uint, uint>(s, type, ScalarType.U32),
            (ScalarType.U64, true) => One<BFindShift<BFindU64, ulong>, ulong, uint>(s, type, ScalarType.U32),
            (ScalarType.S64, true) => One<BFindShift<BFindS64, ulong>, ulong, uint>(s, type, ScalarType.U32),
            _ => throw s.Error($"type {type} is not supported"),
        };
    }

    private Instruction DecodeDotProduct(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 4);
        int terms = s.Opcode == "dp4a" ? 4 : 2;
        int first = terms == 2 && m.TakeAny("lo", "hi") == "hi" ? 2 : 0;
        ScalarType a = m.TakeType(), b = m.TakeType();
        return new DotProduct(Target(s, 0, ScalarType.B32), Source(s, 1, ScalarType.B32), Source(s, 2, ScalarType.B32), Source(s, 3, ScalarType.B32), a.IsSigned(), b.IsSigned(), terms, first);
    }
}
