namespace PureSharpQLoRA.PtxMachine;

/// <summary>Floating-point arithmetic of every precision.</summary>
internal sealed partial class InstructionDecoder
{
    private Instruction DecodeFloatAddSub(InstructionSyntax s, ModifierList m, ScalarType type, bool add)
    {
        if (type == ScalarType.F32)
        {
            RoundMode mode = m.TakeRounding() ?? RoundMode.NearestEven;
            return mode switch
            {
                RoundMode.NearestEven => add ? SingleVector<AddF32>(s, m) : SingleVector<SubF32>(s, m),
                RoundMode.Zero => add ? Single<AddDirected<RoundZero>>(s, m) : Single<SubDirected<RoundZero>>(s, m),
                RoundMode.Down => add ? Single<AddDirected<RoundDown>>(s, m) : Single<SubDirected<RoundDown>>(s, m),
                _ => add ? Single<AddDirected<RoundUp>>(s, m) : Single<SubDirected<RoundUp>>(s, m),
            };
        }
        if (type == ScalarType.F64)
        {
            NearestOnly(s, m);
            return add ? Two<AddF64, double>(s, type) : Two<SubF64, double>(s, type);
        }
        NearestOnly(s, m);
        return add ? HalfTwo<AddF32>(s, m, type, true) : HalfTwo<SubF32>(s, m, type, true);
    }

    private Instruction DecodeFloatMultiply(InstructionSyntax s, ModifierList m, ScalarType type)
    {
        if (type == ScalarType.F32)
        {
            return (m.TakeRounding() ?? RoundMode.NearestEven) switch
            {
                RoundMode.NearestEven => SingleVector<MulF32>(s, m),
                RoundMode.Zero => Single<MulDirected<RoundZero>>(s, m),
                RoundMode.Down => Single<MulDirected<RoundDown>>(s, m),
                _ => Single<MulDirected<RoundUp>>(s, m),
            };
        }

        NearestOnly(s, m);
        return type == ScalarType.F64 ? Two<MulF64, double>(s, type) : HalfTwo<MulF32>(s, m, type, true);
    }

    private Instruction DecodeFma(InstructionSyntax s, ModifierList m) => DecodeFmaOf(s, m, m.TakeType());

    private Instruction DecodeFmaOf(InstructionSyntax s, ModifierList m, ScalarType type)
    {
        RequireCount(s, 4);
        RoundMode mode = m.TakeRounding() ?? RoundMode.NearestEven;
        if (type == ScalarType.F32)
        {
            return mode switch
            {
                RoundMode.NearestEven => SingleFma(s, m),
                RoundMode.Zero => SingleThree<FmaDirected<RoundZero>>(s, m),
                RoundMode.Down => SingleThree<FmaDirected<RoundDown>>(s, m),
                _ => SingleThree<FmaDirected<RoundUp>>(s, m),
            };
        }

        if (mode != RoundMode.NearestEven)
        {
            throw s.Error("only .rn is supported for this type");
        }

        if (type == ScalarType.F64)
        {
            return Three<FmaF64, double, double>(s, type, type);
        }

        bool ftz = m.Take("ftz"), sat = m.Take("sat"), relu = m.Take("relu");
        RequireHalf(s, type, relu);
        return (sat, relu) switch
        {
            (false, false) => HalfFused<Keep>(s, type, ftz),
            (true, false) => HalfFused<Saturate>(s, type, ftz),
            (false, true) => HalfFused<Relu>(s, type, ftz),
            _ => throw s.Error(".sat and .relu exclude each other"),
        };
    }

    private Instruction DecodeFloatDivide(InstructionSyntax s, ModifierList m, ScalarType type)
    {
        if (type == ScalarType.F64) { NearestOnly(s, m); return Two<DivF64, double>(s, type); }
        if (type != ScalarType.F32)
        {
            throw s.Error($"div does not take type {type}");
        }
        // .approx and .full are computed exactly rounded: the GPU is within 2 ulp of that
        if (m.TakeAny("approx", "full") == null)
        {
            NearestOnly(s, m);
        }

        return Single<DivF32>(s, m);
    }

    private Instruction DecodeFloatMinMax(InstructionSyntax s, ModifierList m, ScalarType type, bool min)
    {
        bool nan = m.Take("NaN");
        if (nan)
        {
            RequireSm(s, 80);
        }

        switch (type)
        {
            case ScalarType.F32:
                return (min, nan) switch
                {
                    (true, false) => Single<MinF<float>>(s, m),
                    (false, false) => Single<MaxF<float>>(s, m),
                    (true, true) => Single<MinNaN<float>>(s, m),
                    _ => Single<MaxNaN<float>>(s, m),
                };
            case ScalarType.F64:
                if (nan)
                {
                    throw s.Error(".NaN does not exist for .f64");
                }

                return min ? Two<MinF<double>, double>(s, type) : Two<MaxF<double>, double>(s, type);
        }
        RequireSm(s, 80);
        return (min, nan) switch
        {
            (true, false) => HalfTwo<MinF<float>>(s, m, type, false),
            (false, false) => HalfTwo<MaxF<float>>(s, m, type, false),
            (true, true) => HalfTwo<MinNaN<float>>(s, m, type, false),
            _ => HalfTwo<MaxNaN<float>>(s, m, type, false),
        };
    }

    private Instruction DecodeFloatNegAbs(InstructionSyntax s, ModifierList m, ScalarType type, bool neg)
    {
        bool ftz = m.Take("ftz");
        switch (type)
        {
            case ScalarType.F32:
                return (neg, ftz) switch
                {
                    (true, false) => One<NegF<float>, float, float>(s, type, type),
                    (false, false) => One<AbsF<float>, float, float>(s, type, type),
                    (true, true) => One<Ftz1<NegF<float>>, float, float>(s, type, type),
                    _ => One<Ftz1<AbsF<float>>, float, float>(s, type, type),
                };
            case ScalarType.F64:
                return neg ? One<NegF<double>, double, double>(s, type, type) : One<AbsF<double>, double, double>(s, type, type);
            case ScalarType.F16 or ScalarType.BF16:
                RequireHalf(s, type, false);
                return neg ? One<HalfNeg, uint, uint>(s, type, type) : One<HalfAbs, uint, uint>(s, type, type);
            case ScalarType.F16x2 or ScalarType.BF16x2:
                RequireHalf(s, type, false);
                return neg ? One<Packed1<HalfNeg>, uint, uint>(s, type, type) : One<Packed1<HalfAbs>, uint, uint>(s, type, type);
            default: throw s.Error($"{s.Opcode} does not take type {type}");
        }
    }

    private Instruction DecodeCopySign(InstructionSyntax s, ModifierList m) => m.TakeType() switch
    {
        ScalarType.F32 => Two<CopySignF<float>, float>(s, ScalarType.F32),
        ScalarType.F64 => Two<CopySignF<double>, double>(s, ScalarType.F64),
        var type => throw s.Error($"copysign does not take type {type}"),
    };

    private Instruction DecodeTestProperty(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        TestKind kind = m.TakeAny("finite", "infinite", "number", "notanumber", "normal", "subnormal") switch
        {
            "finite" => TestKind.Finite, "infinite" => TestKind.Infinite, "number" => TestKind.Number,
            "notanumber" => TestKind.NotANumber, "normal" => TestKind.Normal, "subnormal" => TestKind.Subnormal,
            _ => throw s.Error("testp needs a property"),
        };
        ScalarType type = m.TakeType();
        if (type is not (ScalarType.F32 or ScalarType.F64))
        {
            throw s.Error($"testp does not take type {type}");
        }

        return new TestProperty(TargetPredicate(s, s.Operands[0]), Source(s, 1, type), type == ScalarType.F64, kind);
    }

    /// <summary>rcp, sqrt, rsqrt, sin, cos, lg2, ex2, tanh.</summary>
    private Instruction DecodeUnaryFloat(InstructionSyntax s, ModifierList m)
    {
        RequireCount(s, 2);
        ScalarType type = m.TakeType();
        bool approx = m.Take("approx");
        if (!approx)
        {
            NearestOnly(s, m);
        }

        if (!approx && s.Opcode is not ("rcp" or "sqrt"))
        {
            throw s.Error($"{s.Opcode} needs .approx");
        }

        if (s.Opcode == "tanh")
        {
            RequireSm(s, 75);
        }

        if (type == ScalarType.F64)
        {
            bool flush = m.Take("ftz");
            return (s.Opcode, approx, flush) switch
            {
                ("rcp", false, false) => One<RcpF<double>, double, double>(s, type, type),
                ("sqrt", false, false) => One<SqrtF<double>, double, double>(s, type, type),
                ("rcp", true, true) => One<Upper64<RcpF<double>>, double, double>(s, type, type),
                ("rsqrt", true, true) => One<Upper64<RsqrtF64>, double, double>(s, type, type),
                ("rsqrt", true, false) => One<RsqrtF64, double, double>(s, type, type),
                _ => throw s.Error("this form of the instruction is not supported for .f64"),
            };
        }
        if (type == ScalarType.F32)
        {
            bool ftz = m.Take("ftz");
            return s.Opcode switch
            {
                "rcp" => SingleOne<RcpF<float>>(s, ftz),
                "sqrt" => SingleOne<SqrtF<float>>(s, ftz),
                "rsqrt" => SingleOne<RsqrtF32>(s, ftz),
                "sin" => SingleOne<SinF32>(s, ftz),
                "cos" => SingleOne<CosF32>(s, ftz),
                "lg2" => SingleOne<Lg2F32>(s, ftz),
                "ex2" => SingleOne<Ex2F32>(s, ftz),
                _ => SingleOne<TanhF32>(s, ftz),
            };
        }
        if (s.Opcode is not ("ex2" or "tanh"))
        {
            throw s.Error($"{s.Opcode} does not take type {type}");
        }

        RequireSm(s, type is ScalarType.BF16 or ScalarType.BF16x2 ? 90 : 75);
        bool halfFtz = m.Take("ftz");
        bool ex2 = s.Opcode == "ex2";
        return type switch
        {
            ScalarType.F16 => ex2 ? One<Half1<HalfFormat, Ex2F32>, uint, uint>(s, type, type) : One<Half1<HalfFormat, TanhF32>, uint, uint>(s, type, type),
            ScalarType.F16x2 => ex2 ? One<Packed1<Half1<HalfFormat, Ex2F32>>, uint, uint>(s, type, type) : One<Packed1<Half1<HalfFormat, TanhF32>>, uint, uint>(s, type, type),
            ScalarType.BF16 when halfFtz == ex2 => ex2 ? One<Half1<BFloatFormat, Ftz1<Ex2F32>>, uint, uint>(s, type, type) : One<Half1<BFloatFormat, TanhF32>, uint, uint>(s, type, type),
            ScalarType.BF16x2 when halfFtz == ex2 => ex2 ? One<Packed1<Half1<BFloatFormat, Ftz1<Ex2F32>>>, uint, uint>(s, type, type) : One<Packed1<Half1<BFloatFormat, TanhF32>>, uint, uint>(s, type, type),
            _ => throw s.Error($"{s.Opcode} does not take type {type} in this form"),
        };
    }

    private Instruction SingleOne<TOp>(InstructionSyntax s, bool ftz) where TOp : struct, IUnary<float, float> =>
        ftz ? One<Ftz1<TOp>, float, float>(s, ScalarType.F32, ScalarType.F32) : One<TOp, float, float>(s, ScalarType.F32, ScalarType.F32);

    private Instruction Single<TOp>(InstructionSyntax s, ModifierList m) where TOp : struct, IBinary<float, float> =>
        (m.Take("ftz"), m.Take("sat")) switch
        {
            (false, false) => Two<TOp, float>(s, ScalarType.F32),
            (true, false) => Two<Ftz2<TOp>, float>(s, ScalarType.F32),
            (false, true) => Two<Sat2<TOp>, float>(s, ScalarType.F32),
            _ => Two<Sat2<Ftz2<TOp>>, float>(s, ScalarType.F32),
        };

    private Instruction SingleVector<TOp>(InstructionSyntax s, ModifierList m) where TOp : struct, IVectorBinary<float> =>
        s.Modifiers.Contains("ftz") || s.Modifiers.Contains("sat")
            ? Single<TOp>(s, m)
            : new VectorBinary<TOp, float>(Target(s, 0, ScalarType.F32), Source(s, 1, ScalarType.F32), Source(s, 2, ScalarType.F32));

    private Instruction SingleThree<TOp>(InstructionSyntax s, ModifierList m) where TOp : struct, ITernary<float, float> =>
        (m.Take("ftz"), m.Take("sat")) switch
        {
            (false, false) => Three<TOp, float, float>(s, ScalarType.F32, ScalarType.F32),
            (true, false) => Three<Ftz3<TOp>, float, float>(s, ScalarType.F32, ScalarType.F32),
            (false, true) => Three<Sat3<TOp>, float, float>(s, ScalarType.F32, ScalarType.F32),
            _ => Three<Sat3<Ftz3<TOp>>, float, float>(s, ScalarType.F32, ScalarType.F32),
        };

    private Instruction SingleFma(InstructionSyntax s, ModifierList m) =>
        s.Modifiers.Contains("ftz") || s.Modifiers.Contains("sat")
            ? SingleThree<FmaF32>(s, m)
            : new VectorTernary<FmaF32, float>(Target(s, 0, ScalarType.F32), Source(s, 1, ScalarType.F32), Source(s, 2, ScalarType.F32), Source(s, 3, ScalarType.F32));

    /// <summary>A binary operation on .f16, .bf16 or their packed forms.</summary>
    private Instruction HalfTwo<TOp>(InstructionSyntax s, ModifierList m, ScalarType type, bool arithmetic) where TOp : struct, IBinary<float, float>
    {
        if (arithmetic && type is ScalarType.BF16 or ScalarType.BF16x2)
        {
            RequireSm(s, 90);
        }

        bool ftz = m.Take("ftz");
        return m.Take("sat") ? HalfTwoFtz<Sat2<TOp>>(s, type, ftz) : HalfTwoFtz<TOp>(s, type, ftz);
    }

    private Instruction HalfTwoFtz<TOp>(InstructionSyntax s, ScalarType type, bool ftz) where TOp : struct, IBinary<float, float> => (type, ftz) switch
    {
        (ScalarType.F16, false) => Two<Half2<HalfFormat, TOp>, uint>(s, type),
        (ScalarType.F16, true) => Two<Half2<FlushFormat<HalfFormat>, TOp>, uint>(s, type),
        (ScalarType.F16x2, false) => Two<Packed2<Half2<HalfFormat, TOp>>, uint>(s, type),
        (ScalarType.F16x2, true) => Two<Packed2<Half2<FlushFormat<HalfFormat>, TOp>>, uint>(s, type),
        (ScalarType.BF16, false) => Two<Half2<BFloatFormat, TOp>, uint>(s, type),
        (ScalarType.BF16x2, false) => Two<Packed2<Half2<BFloatFormat, TOp>>, uint>(s, type),
        _ => throw s.Error($"{s.Opcode} does not take type {type} in this form"),
    };

    private Instruction HalfFused<TPost>(InstructionSyntax s, ScalarType type, bool ftz) where TPost : struct, IUnary<double, double> => (type, ftz) switch
    {
        (ScalarType.F16, false) => Three<HalfFma<HalfFormat, TPost>, uint, uint>(s, type, type),
        (ScalarType.F16, true) => Three<HalfFma<FlushFormat<HalfFormat>, TPost>, uint, uint>(s, type, type),
        (ScalarType.F16x2, false) => Three<Packed3<HalfFma<HalfFormat, TPost>>, uint, uint>(s, type, type),
        (ScalarType.F16x2, true) => Three<Packed3<HalfFma<FlushFormat<HalfFormat>, TPost>>, uint, uint>(s, type, type),
        (ScalarType.BF16, false) => Three<HalfFma<BFloatFormat, TPost>, uint, uint>(s, type, type),
        (ScalarType.BF16x2, false) => Three<Packed3<HalfFma<BFloatFormat, TPost>>, uint, uint>(s, type, type),
        _ => throw s.Error($"fma does not take type {type} in this form"),
    };

    private void RequireHalf(InstructionSyntax s, ScalarType type, bool relu)
    {
        if (relu || type is ScalarType.BF16 or ScalarType.BF16x2)
        {
            RequireSm(s, 80);
        }
    }

    private static void NearestOnly(InstructionSyntax s, ModifierList m)
    {
        if (m.TakeRounding() is { } mode && mode != RoundMode.NearestEven)
        {
            throw s.Error("only .rn is supported for this type");
        }
    }
}
