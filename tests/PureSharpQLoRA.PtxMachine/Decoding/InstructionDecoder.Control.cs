namespace PureSharpQLoRA.PtxMachine;

/// <summary>Control flow, barriers and warp-wide communication.</summary>
internal sealed partial class InstructionDecoder
{
    private Instruction DecodeBranch(InstructionSyntax s, ModifierList m)
    {
        bool uniform = m.Take("uni");
        if (s.Operands is not [IdentifierOperand label])
        {
            throw s.Error("bra needs a label");
        }

        return new BranchInstruction(label.Name, uniform) { Flow = Flow.Branch };
    }

    private Instruction DecodeBranchIndexed(InstructionSyntax s, ModifierList m)
    {
        if (!m.Take("idx"))
        {
            throw s.Error("expected brx.idx");
        }

        m.Take("uni");
        RequireCount(s, 2);
        if (s.Operands[1] is not IdentifierOperand list || s.Scope.FindTargets(list.Name) is not { } labels)
        {
            throw s.Error("brx.idx needs a .branchtargets list");
        }

        return new BranchIndexedInstruction(Source(s, 0, ScalarType.U32), labels) { Flow = Flow.BranchIndexed };
    }

    private Instruction DecodeCall(InstructionSyntax s, ModifierList m)
    {
        m.Take("uni");
        var operands = new Queue<Operand>(s.Operands);
        IReadOnlyList<Operand> results = operands.Count > 0 && operands.Peek() is ListOperand ? ((ListOperand)operands.Dequeue()).Items : [];
        if (operands.Count == 0 || operands.Dequeue() is not IdentifierOperand name)
        {
            throw s.Error("only direct calls are supported");
        }

        IReadOnlyList<Operand> arguments = operands.Count > 0 && operands.Dequeue() is ListOperand list ? list.Items : [];
        if (operands.Count > 0)
        {
            throw s.Error("only direct calls are supported");
        }

        return new CallInstruction(name.Name, Params(arguments), Params(results)) { Flow = Flow.Call };

        List<ParamSymbol> Params(IReadOnlyList<Operand> items) =>
            [.. items.Select(o => o is ParamOperand { Offset: 0, Param: { IsKernel: false } p } ? p : throw s.Error("call arguments must be .param variables"))];
    }

    private Instruction DecodeReturn(InstructionSyntax s, ModifierList m)
    {
        m.Take("uni");
        return new ReturnInstruction { Flow = Flow.Return };
    }

    private Instruction DecodeExit(InstructionSyntax s, ModifierList m) => new ExitInstruction { Flow = Flow.Exit };

    private Instruction DecodeTrap(InstructionSyntax s, ModifierList m) => new Trap();

    private Instruction DecodeSleep(InstructionSyntax s, ModifierList m)
    {
        m.TakeType();
        return new NoOperation();
    }

    private Instruction DecodeBarrier(InstructionSyntax s, ModifierList m)
    {
        m.Take("cta");
        if (m.Take("warp"))
        {
            if (!m.Take("sync"))
            {
                throw s.Error("expected bar.warp.sync");
            }

            return Converging(new WarpBarrier(Source(s, 0, ScalarType.B32)));
        }
        m.Take("aligned"); // this machine converges the warp for either form
        string kind = m.TakeAny("sync", "arrive", "red") ?? throw s.Error("unknown barrier");
        if (kind != "red")
        {
            RequireCount(s, 1, 2);
            if (kind == "arrive" && s.Operands.Count != 2)
            {
                throw s.Error("bar.arrive needs a thread count");
            }

            int count = s.Operands.Count == 2 ? Source(s, 1, ScalarType.U32) : -1;
            return new BarrierInstruction(kind == "sync" ? BarrierKind.Sync : BarrierKind.Arrive, Source(s, 0, ScalarType.U32), count, -1, -1, false) { Flow = Flow.Barrier };
        }
        string reduction = m.TakeAny("popc", "and", "or") ?? throw s.Error("unknown barrier reduction");
        ScalarType type = m.TakeType();
        RequireCount(s, 3, 4);
        BarrierKind reduce = reduction switch { "popc" => BarrierKind.ReducePopc, "and" => BarrierKind.ReduceAnd, _ => BarrierKind.ReduceOr };
        if (reduce == BarrierKind.ReducePopc != (type == ScalarType.U32))
        {
            throw s.Error("bar.red.popc gives .u32, .and and .or give .pred");
        }

        int d = reduce == BarrierKind.ReducePopc ? Target(s, 0, type) : TargetPredicate(s, s.Operands[0]);
        int last = s.Operands.Count - 1;
        var (source, negated) = SourcePredicate(s, last);
        return new BarrierInstruction(reduce, Source(s, 1, ScalarType.U32), last == 3 ? Source(s, 2, ScalarType.U32) : -1, d, source, negated) { Flow = Flow.Barrier };
    }

    private Instruction DecodeShuffle(InstructionSyntax s, ModifierList m)
    {
        bool sync = m.Take("sync");
        ShuffleMode mode = m.TakeFirst() switch
        {
            "up" => ShuffleMode.Up, "down" => ShuffleMode.Down, "bfly" => ShuffleMode.Butterfly, "idx" => ShuffleMode.Index,
            var other => throw s.Error($"unknown shuffle mode .{other}"),
        };
        if (!sync && targetSm >= 70)
        {
            throw s.Error("shfl without .sync does not exist on this target");
        }

        if (m.TakeType() != ScalarType.B32)
        {
            throw s.Error("shfl needs .b32");
        }

        RequireCount(s, sync ? 5 : 4);
        int d = s.Operands[0] is SinkOperand ? -1 : Target(s, 0, ScalarType.B32);
        int p = s.Operands[0] is RegisterOperand { Second: { } second } ? second.Slot : s.Operands[0] is SinkOperand { Second: { } other2 } ? other2.Slot : -1;
        return Converging(new Shuffle(mode, d, p, Source(s, 1, ScalarType.B32), Source(s, 2, ScalarType.B32), Source(s, 3, ScalarType.B32), sync ? Source(s, 4, ScalarType.B32) : -1));
    }

    private Instruction DecodeVote(InstructionSyntax s, ModifierList m)
    {
        if (!m.Take("sync"))
        {
            throw s.Error("vote without .sync does not exist on current targets");
        }

        VoteMode mode = m.TakeFirst() switch
        {
            "all" => VoteMode.All, "any" => VoteMode.Any, "uni" => VoteMode.Uniform, "ballot" => VoteMode.Ballot,
            var other => throw s.Error($"unknown vote mode .{other}"),
        };
        ScalarType type = m.TakeType();
        RequireCount(s, 3);
        int d = mode == VoteMode.Ballot ? Target(s, 0, type) : TargetPredicate(s, s.Operands[0]);
        var (a, negated) = SourcePredicate(s, 1);
        return Converging(new Vote(mode, d, a, negated, Source(s, 2, ScalarType.B32)));
    }

    private Instruction DecodeMatch(InstructionSyntax s, ModifierList m)
    {
        if (!m.Take("sync"))
        {
            throw s.Error("expected match.sync");
        }

        bool all = m.TakeAny("all", "any") == "all";
        ScalarType type = m.TakeType();
        RequireCount(s, 3);
        int p = s.Operands[0] is RegisterOperand { Second: { } second } ? second.Slot : -1;
        return Converging(new Match(all, Target(s, 0, ScalarType.B32), p, Source(s, 1, type), type.SlotWidth(), Source(s, 2, ScalarType.B32)));
    }

    private Instruction DecodeReduceSync(InstructionSyntax s, ModifierList m)
    {
        RequireSm(s, 80);
        if (!m.Take("sync"))
        {
            throw s.Error("expected redux.sync");
        }

        string op = m.TakeAny("add", "min", "max", "and", "or", "xor") ?? throw s.Error("redux needs an operation");
        ScalarType type = m.TakeType();
        if (type.Size() != 4 || !type.IsInteger())
        {
            throw s.Error($"redux does not take type {type}");
        }

        RequireCount(s, 3);
        return Converging(new ReduceSync(op, type.IsSigned(), Target(s, 0, type), Source(s, 1, type), Source(s, 2, ScalarType.B32)));
    }

    private Instruction DecodeElect(InstructionSyntax s, ModifierList m)
    {
        RequireSm(s, 90);
        if (!m.Take("sync"))
        {
            throw s.Error("expected elect.sync");
        }

        RequireCount(s, 2);
        var (d, p) = s.Operands[0] switch
        {
            RegisterOperand { Second: { } second } r => (r.Register.Slot, second.Slot),
            SinkOperand { Second: { } second } => (-1, second.Slot),
            _ => throw s.Error("elect.sync needs a predicate"),
        };
        return Converging(new Elect(d, p, Source(s, 1, ScalarType.B32)));
    }

    private Instruction DecodeActiveMask(InstructionSyntax s, ModifierList m)
    {
        m.TakeType();
        RequireCount(s, 1);
        return new ActiveMask(Target(s, 0, ScalarType.B32));
    }
}
