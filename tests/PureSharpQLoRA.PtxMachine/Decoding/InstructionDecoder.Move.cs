namespace PureSharpQLoRA.PtxMachine;

/// <summary>mov, cvt, cvta and isspacep.</summary>
internal sealed partial class InstructionDecoder
{
    private Instruction DecodeMove(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        ScalarType type = m.TakeType();
        if (type == ScalarType.Pred)
        {
            var (a, notA) = SourcePredicate(s, 1);
            return new PredicateLogic(TargetPredicate(s, s.Operands[0]), a, notA, -1, false, PredicateOp.Copy);
        }
        Operand target = s.Operands[0], source = s.Operands[1];
        if (target is VectorOperand || source is VectorOperand)
        {
            return DecodePack(s, type);
        }

        int d = Target(s, 0, type), width = type.SlotWidth();
        switch (source)
        {
            case SpecialOperand special when UniformMove.VolatileRegister(special.Name) is { } read:
                return new UniformMove(d, width, read);
            case SpecialOperand special:
                {
                    int slot = function.Frame.Special(special.Name, SpecialRegisters.Width(special.Name));
                    return (SpecialRegisters.Width(special.Name), width) switch
                    {
                        (4, 8) => new Unary<ZeroExtend32, uint, ulong>(d, slot),
                        (8, 4) => new Unary<Truncate64, ulong, uint>(d, slot),
                        _ => Copy(d, slot, width),
                    };
                }
            case VariableOperand v: return DecodeVariableAddress(s, d, width, v);
            default: return Copy(d, Source(s, 1, type), width);
        }
    }

    private static Instruction Copy(int d, int a, int width) => width == 8 ? new Unary<Copy64, ulong, ulong>(d, a) : new Unary<Copy32, uint, uint>(d, a);

    private Instruction DecodeVariableAddress(InstructionSyntax s, int d, int width, VariableOperand v)
    {
        ulong offset = (ulong)v.Offset;
        VariableSymbol variable = v.Variable;
        if (variable.Space == StateSpace.Shared)
        {
            return Copy(d, function.Frame.Constant(variable.Address + offset, width), width);
        }

        if (width != 8)
        {
            throw s.Error("the address of this variable needs a 64-bit register");
        }

        if (variable.Space == StateSpace.Local)
        {
            ulong local = variable.Address + offset;
            return new UniformMove(d, width, w => w.LocalBase + local);
        }
        int index = variable.ModuleIndex;
        return new UniformMove(d, width, w => w.Worker.Launch.VariableAddresses[index] + offset);
    }

    private Instruction DecodePack(InstructionSyntax s, ScalarType type)
    {
        Operand[] targets = Items(s.Operands[0]), sources = Items(s.Operands[1]);
        int count = Math.Max(targets.Length, sources.Length);
        if (Math.Min(targets.Length, sources.Length) != 1 || type.Size() % count != 0)
        {
            throw s.Error("mov packs or unpacks one scalar and one vector");
        }

        ScalarType element = (type.Size() / count) switch { 1 => ScalarType.B8, 2 => ScalarType.B16, 4 => ScalarType.B32, _ => ScalarType.B64 };
        var to = targets.Select(o => Part(o, targets.Length == 1 ? type : element, true)).ToArray();
        var from = sources.Select(o => Part(o, sources.Length == 1 ? type : element, false)).ToArray();
        return new PackMove([.. to.Select(x => x.Slot)], [.. from.Select(x => x.Slot)], [.. to.Select(x => x.Width)], [.. from.Select(x => x.Width)], element.Size());

        (int Slot, int Width) Part(Operand operand, ScalarType partType, bool target)
        {
            if (operand is RegisterOperand r && partType != ScalarType.B8)
            {
                CheckSize(s, r.Register, partType);
            }

            return Wide(s, operand, partType, target);
        }
    }

    private Instruction DecodeConvert(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2, 3);
        bool saturateFinite = m.Take("satfinite"), relu = m.Take("relu"), flush = m.Take("ftz"), saturate = m.Take("sat");
        string? roundName = m.TakeAny("rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi");
        ScalarType to = m.TakeType(), from = m.TakeType();
        RoundMode mode = roundName switch
        {
            "rz" or "rzi" => RoundMode.Zero,
            "rm" or "rmi" => RoundMode.Down,
            "rp" or "rpi" => RoundMode.Up,
            "rna" => RoundMode.NearestAway,
            _ => RoundMode.NearestEven,
        };
        bool integral = roundName is "rni" or "rzi" or "rmi" or "rpi";
        if (s.Operands.Count == 3)
        {
            if (from != ScalarType.F32 || to is not (ScalarType.F16x2 or ScalarType.BF16x2))
            {
                throw s.Error("packed cvt makes .f16x2 or .bf16x2 from two .f32");
            }

            RequireSm(s, 80);
            ScalarType half = to == ScalarType.F16x2 ? ScalarType.F16 : ScalarType.BF16;
            return new ConvertPacked(Target(s, 0, to), Source(s, 1, from), Source(s, 2, from), half, mode, relu, saturateFinite);
        }
        if (!(to.IsInteger() || to.IsFloat()) || !(from.IsInteger() || from.IsFloat()))
        {
            throw s.Error($"cvt from {from} to {to} is not supported");
        }

        CheckRounding(s, to, from, roundName, integral);
        if (relu || to is ScalarType.BF16 or ScalarType.TF32)
        {
            RequireSm(s, 80);
        }

        if (from == ScalarType.BF16 || to == ScalarType.BF16 && from != ScalarType.F32)
        {
            RequireSm(s, 90);
        }

        var (d, targetWidth) = Wide(s, s.Operands[0], to, true);
        var (a, sourceWidth) = Wide(s, s.Operands[1], from, false);
        bool plain = !saturate && !relu && !flush && !saturateFinite;
        return FastConvert(to, from, mode, integral, plain, d, a, targetWidth, sourceWidth)
            ?? new ConvertInstruction(d, a, targetWidth, sourceWidth, to, from, mode, integral, flush, saturate, relu, saturateFinite);
    }

    /// <summary>PTX ISA "cvt": which conversions must, and which must not, name a rounding mode.</summary>
    private static void CheckRounding(InstructionSyntax s, ScalarType to, ScalarType from, string? name, bool integral)
    {
        bool needsFloat = to.IsFloat() && (from.IsInteger() || from.IsFloat() && (to.Size() < from.Size() || to is ScalarType.TF32 || to.Size() == 2 && to != from));
        bool needsInteger = to.IsInteger() && from.IsFloat();
        if (needsFloat && (name == null || integral))
        {
            throw s.Error("this conversion needs .rn, .rz, .rm or .rp");
        }

        if (needsInteger && !integral)
        {
            throw s.Error("float to integer needs .rni, .rzi, .rmi or .rpi");
        }

        if (!needsFloat && !needsInteger && name != null && !(integral && to == from))
        {
            throw s.Error("this conversion takes no rounding modifier");
        }
    }

    private static Instruction? FastConvert(ScalarType to, ScalarType from, RoundMode mode, bool integral, bool plain, int d, int a, int targetWidth, int sourceWidth)
    {
        if (!plain || integral || targetWidth != to.SlotWidth() || sourceWidth != from.SlotWidth())
        {
            return null;
        }

        return (to, from, mode) switch
        {
            (ScalarType.F32, ScalarType.F16, _) => new Unary<HalfToSingle<HalfFormat>, uint, float>(d, a),
            (ScalarType.F32, ScalarType.BF16, _) => new Unary<HalfToSingle<BFloatFormat>, uint, float>(d, a),
            (ScalarType.F16, ScalarType.F32, RoundMode.NearestEven) => new Unary<SingleToHalf<HalfFormat>, float, uint>(d, a),
            (ScalarType.BF16, ScalarType.F32, RoundMode.NearestEven) => new Unary<SingleToHalf<BFloatFormat>, float, uint>(d, a),
            (ScalarType.S64 or ScalarType.U64, ScalarType.S32, _) => new Unary<SignExtend32, int, long>(d, a),
            (ScalarType.S64 or ScalarType.U64, ScalarType.U32, _) => new Unary<ZeroExtend32, uint, ulong>(d, a),
            (ScalarType.S32 or ScalarType.U32, ScalarType.S64 or ScalarType.U64, _) => new Unary<Truncate64, ulong, uint>(d, a),
            (ScalarType.F32, ScalarType.S32, RoundMode.NearestEven) => new Unary<S32ToF32, int, float>(d, a),
            _ => null,
        };
    }

    private Instruction DecodeAddressCast(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        bool to = m.Take("to");
        StateSpace space = m.TakeAny("global", "const", "shared", "shared::cta", "local") switch
        {
            "global" or "const" => StateSpace.Global,
            "shared" or "shared::cta" => StateSpace.Shared,
            "local" => StateSpace.Local,
            _ => throw s.Error("cvta to this state space is not supported"),
        };
        ScalarType type = m.TakeType();
        if (type != ScalarType.U64)
        {
            throw s.Error("cvta needs .u64");
        }

        int d = Target(s, 0, type);
        if (s.Operands[1] is not VariableOperand v)
        {
            return new AddressCast(d, Source(s, 1, type), space, to);
        }

        if (to)
        {
            throw s.Error("cvta.to takes a register");
        }

        return new Sequence(DecodeVariableAddress(s, d, 8, v), new AddressCast(d, d, space, to));
    }

    private Instruction DecodeIsSpace(InstructionSyntax s, ModifierList m)
    {
        StateSpace space = m.TakeFirst() switch
        {
            "global" => StateSpace.Global,
            "shared" or "shared::cta" => StateSpace.Shared,
            "local" => StateSpace.Local,
            var other => throw s.Error($"isspacep.{other} is not supported"),
        };
        return new IsSpace(TargetPredicate(s, s.Operands[0]), Source(s, 1, ScalarType.U64), space);
    }
}
