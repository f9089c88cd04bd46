using System.Globalization;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>Parses a PTX module: directives, variables, kernels and functions (PTX ISA "Directives").</summary>
internal sealed partial class PtxParser
{
    private readonly string source;
    private readonly List<Token> tokens;
    private readonly Scope moduleScope = new(null);
    private int index;

    public PtxParser(string source)
    {
        this.source = source;
        tokens = new PtxLexer(source).Tokenize();
    }

    public string Version { get; private set; } = "";
    public int TargetSm { get; private set; } = 50;
    public List<VariableSymbol> ModuleVariables { get; } = [];
    public Dictionary<string, PtxFunction> Functions { get; } = [];

    private Token Current => tokens[index];

    public void ParseModule()
    {
        while (Current.Kind != TokenKind.End)
        {
            ParseModuleItem();
        }
    }

    private void ParseModuleItem()
    {
        Token t = Current;
        if (t.Is(";")) { index++; return; }
        if (t.Kind != TokenKind.Directive)
        {
            throw Error("expected a directive");
        }

        switch (t.Text)
        {
            case "version": index++; Version = Take().Text; break;
            case "target":
                index++;
                ParseTarget();
                break;
            case "address_size":
                index++;
                if (Take().Text != "64")
                {
                    throw Error("only .address_size 64 is supported");
                }

                break;
            case "visible" or "extern" or "weak" or "common": index++; break;
            case "entry": index++; ParseFunction(true); break;
            case "func": index++; ParseFunction(false); break;
            case "global" or "const" or "shared": ParseVariable(moduleScope, null); break;
            case "file": SkipLine(); break;
            case "section": SkipSection(); break;
            case "pragma": index++; Take(); Expect(";"); break;
            default: throw Error($"unknown module directive .{t.Text}");
        }
    }

    private void ParseTarget()
    {
        do
        {
            string name = Take().Text;
            if (name.StartsWith("sm_", StringComparison.Ordinal))
            {
                TargetSm = int.Parse(name.AsSpan(3).TrimEnd("abf"), CultureInfo.InvariantCulture);
            }
        }
        while (Accept(","));
    }

    private void SkipLine()
    {
        int line = Current.Line;
        while (Current.Kind != TokenKind.End && Current.Line == line)
        {
            index++;
        }
    }

    private void SkipSection()
    {
        while (!Current.Is("{"))
        {
            index++;
        }

        int depth = 0;
        do
        {
            if (Current.Is("{"))
            {
                depth++;
            }
            else if (Current.Is("}"))
            {
                depth--;
            }
            else if (Current.Kind == TokenKind.End)
            {
                throw Error("unterminated .section");
            }

            index++;
        }
        while (depth > 0);
    }

    /// <summary>Parses ".space .align n .type name[size] = {...}" for any variable state space.</summary>
    private void ParseVariable(Scope scope, PtxFunction? function)
    {
        StateSpace space = Take().Text switch
        {
            "global" => StateSpace.Global,
            "const" => StateSpace.Const,
            "shared" => StateSpace.Shared,
            _ => StateSpace.Local,
        };
        int alignment = 0, vector = 1;
        ScalarType type = ScalarType.None;
        while (Current.Kind == TokenKind.Directive)
        {
            string word = Take().Text;
            if (word == "align")
            {
                alignment = (int)TakeInteger();
            }
            else if (word is "v2" or "v4")
            {
                vector = word[1] - '0';
            }
            else if (!ScalarTypes.TryParse(word, out type))
            {
                throw Error($"unknown variable attribute .{word}");
            }
        }
        if (type == ScalarType.None)
        {
            throw Error("variable without a type");
        }

        do
        {
            string name = TakeWord();
            long count = vector;
            bool unsized = false;
            while (Accept("["))
            {
                if (Accept("]")) { unsized = true; continue; }
                count *= TakeInteger();
                Expect("]");
            }
            int align = Math.Max(alignment, type.Size() * (unsized ? 1 : vector));
            byte[]? initial = Accept("=") ? ParseInitializer(type, ref count, unsized) : null;
            bool dynamic = unsized && initial == null;
            var symbol = new VariableSymbol(name, space, dynamic ? 0 : count * type.Size(), align, initial, dynamic);
            scope.Symbols[name] = symbol;
            if (space is StateSpace.Global or StateSpace.Const || function == null)
            {
                symbol.ModuleIndex = ModuleVariables.Count;
                ModuleVariables.Add(symbol);
            }
            else if (space == StateSpace.Shared)
            {
                function.Shared.Add(symbol);
            }
            else
            {
                function.Locals.Add(symbol);
            }
        }
        while (Accept(","));
        Expect(";");
    }

    private byte[] ParseInitializer(ScalarType type, ref long count, bool unsized)
    {
        var bytes = new List<byte>();
        void Value()
        {
            if (Accept("{"))
            {
                do
                {
                    Value();
                }
                while (Accept(","));
                Expect("}");
                return;
            }
            var imm = ParseImmediate();
            ulong bits = ImmediateBits.Convert(imm, type);
            for (int i = 0; i < type.Size(); i++)
            {
                bytes.Add((byte)(bits >> (8 * i)));
            }
        }
        Value();
        if (unsized)
        {
            count = bytes.Count / type.Size();
        }

        if (bytes.Count > count * type.Size())
        {
            throw Error("initialiser longer than the array");
        }

        while (bytes.Count < count * type.Size())
        {
            bytes.Add(0);
        }

        return [.. bytes];
    }

    private void ParseFunction(bool isKernel)
    {
        Scope scope = new(moduleScope);
        List<(string Name, int Size, int Align)> returns = [];
        if (!isKernel && Current.Is("("))
        {
            returns = ParseParamList();
        }

        string name = TakeWord();
        List<(string Name, int Size, int Align)> parameters = Current.Is("(") ? ParseParamList() : [];
        int maxThreads = 0;
        (int, int, int)? required = null;
        while (Current.Kind == TokenKind.Directive)
        {
            string directive = Take().Text;
            switch (directive)
            {
                case "maxntid": { var (x, y, z) = TakeTriple(); maxThreads = x * y * z; break; }
                case "reqntid": required = TakeTriple(); break;
                case "minnctapersm" or "maxnreg" or "maxnctapersm": TakeInteger(); break;
                case "noreturn": break;
                case "pragma": Take(); Expect(";"); break;
                default: throw Error($"unknown performance directive .{directive}");
            }
        }
        bool forwardOnly = Accept(";");
        if (!Functions.TryGetValue(name, out PtxFunction? function) || !forwardOnly && function.IsDefined)
        {
            if (function is { IsDefined: true })
            {
                throw Error($"function {name} is defined twice");
            }

            Functions[name] = function = new PtxFunction(name, isKernel);
        }
        if (forwardOnly)
        {
            return;
        }

        function.IsDefined = true;
        function.MaxThreads = maxThreads;
        function.RequiredBlock = required;
        int offset = 0;
        foreach (var (paramName, size, align) in returns)
        {
            ParamSymbol symbol = FrameParam(function, paramName, size, align);
            function.Returns.Add(symbol);
            scope.Symbols[paramName] = symbol;
        }
        foreach (var (paramName, size, align) in parameters)
        {
            ParamSymbol symbol;
            if (isKernel)
            {
                offset = (offset + align - 1) / align * align;
                symbol = new ParamSymbol(paramName, size, align, true, offset, 0);
                offset += size;
            }
            else
            {
                symbol = FrameParam(function, paramName, size, align);
            }

            function.Parameters.Add(symbol);
            scope.Symbols[paramName] = symbol;
        }
        function.KernelParameterBytes = offset;
        Expect("{");
        ParseBlock(function, new Scope(scope));
    }

    private static ParamSymbol FrameParam(PtxFunction function, string name, int size, int align)
    {
        int stride = (size + 15) / 16 * 16;
        return new ParamSymbol(name, size, align, false, function.Frame.AllocateParam(stride), stride);
    }

    private List<(string, int, int)> ParseParamList()
    {
        var list = new List<(string, int, int)>();
        Expect("(");
        if (Accept(")"))
        {
            return list;
        }

        do
        {
            list.Add(ParseParamDeclaration());
        }
        while (Accept(","));
        Expect(")");
        return list;
    }

    /// <summary>".param [.align n] .type [.ptr ...] name[size]".</summary>
    private (string Name, int Size, int Align) ParseParamDeclaration()
    {
        if (!Take().IsDirective("param"))
        {
            throw Error("only .param parameters are supported");
        }

        int alignment = 0;
        ScalarType type = ScalarType.None;
        while (Current.Kind == TokenKind.Directive)
        {
            string word = Take().Text;
            if (word == "align")
            {
                alignment = (int)TakeInteger();
            }
            else if (word is "ptr" or "global" or "shared" or "const" or "local")
            {
                continue;
            }
            else if (!ScalarTypes.TryParse(word, out type))
            {
                throw Error($"unknown parameter attribute .{word}");
            }
        }
        string name = TakeWord();
        int size = type.Size();
        int align = Math.Max(alignment, type.Size());
        while (Accept("[")) { size *= (int)TakeInteger(); Expect("]"); }
        return (name, size, align);
    }
}
