using System.Globalization;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>Function bodies: declarations, labels, instructions and operands (PTX ISA "Instruction Operands").</summary>
internal sealed partial class PtxParser
{
    private void ParseBlock(PtxFunction function, Scope scope)
    {
        while (!Accept("}"))
        {
            Token t = Current;
            if (t.Kind == TokenKind.End)
            {
                throw Error("unterminated function body");
            }

            if (t.Is(";"))
            {
                index++;
            }
            else if (t.Is("{")) { index++; ParseBlock(function, new Scope(scope)); }
            else if (t.Kind == TokenKind.Directive)
            {
                ParseBodyDirective(function, scope);
            }
            else if (t.Kind == TokenKind.Word && tokens[index + 1].Is(":"))
            {
                ParseLabel(function, scope);
            }
            else if (t.Is("@") || t.Kind == TokenKind.Word)
            {
                ParseInstruction(function, scope);
            }
            else
            {
                throw Error("expected a statement");
            }
        }
    }

    private void ParseLabel(PtxFunction function, Scope scope)
    {
        string name = TakeWord();
        Expect(":");
        if (Current.IsDirective("branchtargets"))
        {
            index++;
            var targets = new List<string>();
            do
            {
                targets.Add(TakeWord());
            }
            while (Accept(","));
            Expect(";");
            scope.BranchTargets[name] = targets;
            return;
        }
        if (!scope.Labels.TryAdd(name, function.Body.Count))
        {
            throw Error($"label {name} is declared twice");
        }
    }

    private void ParseBodyDirective(PtxFunction function, Scope scope)
    {
        switch (Current.Text)
        {
            case "reg": index++; ParseRegisters(function, scope); break;
            case "param":
                {
                    var (name, size, align) = ParseParamDeclaration();
                    scope.Symbols[name] = FrameParam(function, name, size, align);
                    Expect(";");
                    break;
                }
            case "shared" or "local" or "global" or "const": ParseVariable(scope, function); break;
            case "loc" or "file": SkipLine(); break;
            case "pragma": index++; Take(); Expect(";"); break;
            case "extern": index++; break;
            default: throw Error($"unknown directive .{Current.Text}");
        }
    }

    private void ParseRegisters(PtxFunction function, Scope scope)
    {
        Token typeToken = Take();
        if (typeToken.Text is "v2" or "v4")
        {
            throw Error("vector registers are not supported");
        }

        if (!ScalarTypes.TryParse(typeToken.Text, out ScalarType type))
        {
            throw Error($"unknown register type .{typeToken.Text}");
        }

        do
        {
            string name = TakeWord();
            if (Accept("<"))
            {
                long count = TakeInteger();
                Expect(">");
                for (int i = 0; i < count; i++)
                {
                    Declare(name + i.ToString(CultureInfo.InvariantCulture));
                }
            }
            else
            {
                Declare(name);
            }
        }
        while (Accept(","));
        Expect(";");

        void Declare(string register) =>
            scope.Symbols[register] = new RegisterSymbol(register, type, function.Frame.AllocateRegister(type));
    }

    private void ParseInstruction(PtxFunction function, Scope scope)
    {
        int first = index;
        RegisterSymbol? guard = null;
        bool negated = false;
        if (Accept("@"))
        {
            negated = Accept("!");
            string name = TakeWord();
            guard = scope.Find(name) as RegisterSymbol;
            if (guard is not { Type: ScalarType.Pred })
            {
                throw Error($"guard {name} is not a predicate register");
            }
        }
        string opcode = TakeWord();
        var modifiers = new List<string>();
        while (Current.Kind == TokenKind.Directive)
        {
            modifiers.Add(Take().Text);
        }

        var operands = new List<Operand>();
        if (!Current.Is(";"))
        {
            do
            {
                operands.Add(ParseOperand(scope));
            }
            while (Accept(","));
        }
        if (!Current.Is(";"))
        {
            throw Error("expected ';' after the operands");
        }

        string text = source[tokens[first].Start..Current.Start];
        index++;
        text = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        function.Body.Add(new InstructionSyntax(tokens[first].Line, text, opcode, modifiers, operands, guard, negated, scope));
    }

    private Operand ParseOperand(Scope scope)
    {
        Token t = Current;
        if (Accept("{"))
        {
            return new VectorOperand(ParseOperands(scope, "}"));
        }

        if (Accept("("))
        {
            return new ListOperand(ParseOperands(scope, ")"));
        }

        if (Accept("["))
        {
            return ParseAddress(scope);
        }

        bool negated = Accept("!");
        if (Current.Kind == TokenKind.Number || Current.Is("-") || Current.Is("+"))
        {
            return ParseImmediate();
        }

        string name = TakeWord();
        if (name == "_")
        {
            return new SinkOperand(Accept("|") ? TakeRegister(scope) : null);
        }

        if (name == "WARP_SZ")
        {
            return new ImmediateOperand(32, 32, ImmediateKind.Integer);
        }

        switch (scope.Find(name))
        {
            case RegisterSymbol register:
                if (!Accept("|"))
                {
                    return new RegisterOperand(register, negated, null);
                }

                if (Current.Kind == TokenKind.Word && Current.Text == "_") { index++; return new RegisterOperand(register, negated, null); }
                return new RegisterOperand(register, negated, TakeRegister(scope));
            case VariableSymbol variable: return new VariableOperand(variable, ParseOffset());
            case ParamSymbol param: return new ParamOperand(param, ParseOffset());
        }
        if (name.StartsWith('%'))
        {
            if (Current.Kind == TokenKind.Directive && Current.Start == tokens[index - 1].End)
            {
                name += "." + Take().Text;
            }

            if (!SpecialRegisters.IsKnown(name))
            {
                throw new PtxParseException(t.Line, $"unknown register {name}", LineText(t.Line));
            }

            return new SpecialOperand(name);
        }
        return new IdentifierOperand(name);
    }

    private RegisterSymbol TakeRegister(Scope scope)
    {
        string name = TakeWord();
        return scope.Find(name) as RegisterSymbol ?? throw Error($"{name} is not a register");
    }

    private List<Operand> ParseOperands(Scope scope, string close)
    {
        var list = new List<Operand>();
        if (Accept(close))
        {
            return list;
        }

        do
        {
            list.Add(ParseOperand(scope));
        }
        while (Accept(","));
        Expect(close);
        return list;
    }

    private AddressOperand ParseAddress(Scope scope)
    {
        AddressOperand address;
        if (Current.Kind == TokenKind.Word)
        {
            string name = TakeWord();
            object? symbol = scope.Find(name);
            long offset = ParseOffset();
            address = symbol switch
            {
                RegisterSymbol register => new AddressOperand(register, null, null, offset),
                VariableSymbol variable => new AddressOperand(null, variable, null, offset),
                ParamSymbol param => new AddressOperand(null, null, param, offset),
                _ => throw Error($"unknown address symbol {name}"),
            };
        }
        else
        {
            address = new AddressOperand(null, null, null, TakeSignedInteger());
        }

        Expect("]");
        return address;
    }

    private long ParseOffset()
    {
        long offset = 0;
        while (Current.Is("+") || Current.Is("-"))
        {
            bool minus = Take().Text == "-";
            long value = TakeSignedInteger();
            offset += minus ? -value : value;
        }
        return offset;
    }

    private ImmediateOperand ParseImmediate()
    {
        bool minus = false;
        while (Current.Is("-") || Current.Is("+"))
        {
            minus ^= Take().Text == "-";
        }

        Token t = Take();
        if (t.Kind != TokenKind.Number)
        {
            throw Error("expected a constant");
        }

        return ImmediateBits.Parse(t.Text, minus) ?? throw Error($"malformed constant {t.Text}");
    }

    private Token Take() => tokens[index++];

    private string TakeWord()
    {
        if (Current.Kind != TokenKind.Word)
        {
            throw Error($"expected a name, found '{Current.Text}'");
        }

        return Take().Text;
    }

    private long TakeInteger() =>
        ParseImmediate() is { Kind: ImmediateKind.Integer } value ? value.Bits : throw Error("expected an integer");

    private long TakeSignedInteger() => TakeInteger();

    private (int, int, int) TakeTriple()
    {
        int x = (int)TakeInteger(), y = 1, z = 1;
        if (Accept(",")) { y = (int)TakeInteger(); if (Accept(","))
            {
                z = (int)TakeInteger();
            }
        }
        return (x, y, z);
    }

    private bool Accept(string punctuation)
    {
        if (!Current.Is(punctuation))
        {
            return false;
        }

        index++;
        return true;
    }

    private void Expect(string punctuation)
    {
        if (!Accept(punctuation))
        {
            throw Error($"expected '{punctuation}', found '{Current.Text}'");
        }
    }

    private PtxParseException Error(string message) => new(Current.Line, message, LineText(Current.Line));

    private string LineText(int line)
    {
        string[] lines = source.Split('\n');
        return line <= lines.Length ? lines[line - 1].Trim() : "";
    }
}
