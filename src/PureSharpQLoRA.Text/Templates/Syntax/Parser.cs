namespace PureSharpQLoRA.Text.Templates;

/// <summary>Reads a template into a syntax tree: statements.</summary>
internal sealed partial class Parser
{
    private readonly SourceText _source;
    private readonly List<Token> _tokens;

    /// <summary>Filters and tests that do not exist; where a condition stands before them, they are an error only once they are reached.</summary>
    private readonly List<TemplateException> _unknown = [];

    /// <summary>The names that each open macro reads.</summary>
    private readonly Stack<HashSet<string>> _macroNames = [];

    /// <summary>The frame that is being read.</summary>
    private FrameNames _frame = new(null);

    private int _at;
    private int _depth;
    private int _loops;
    private int _links;
    private bool _marksGenerated;

    private Parser(SourceText source) => (_source, _tokens) = (source, Lexer.Read(source));

    private Token Current => _tokens[_at];

    /// <param name="source">The template.</param>
    /// <param name="marksGenerated">Whether it has generation blocks.</param>
    public static Body Read(SourceText source, out bool marksGenerated)
    {
        var parser = new Parser(source);
        Body body = parser.ReadBody();
        parser.RequireKnown(0);
        parser._frame.Body = body;
        parser._frame.Resolve();
        marksGenerated = parser._marksGenerated;
        return parser.Current.Kind == TokenKind.End ? body : throw parser.Unexpected("a tag that no block waits for");
    }

    /// <summary>Statements up to a tag with one of the names, which stays to be read (its name is the current token), or to the end.</summary>
    private Body ReadBody(params ReadOnlySpan<string> ends)
    {
        Enter();
        var statements = new List<Statement>();
        int start = Current.Offset;
        while (Current.Kind != TokenKind.End)
        {
            Token token = Current;
            switch (token.Kind)
            {
                case TokenKind.Data:
                    _at++;
                    statements.Add(new DataStatement(token.Offset, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    _at++;
                    _links = 0;
                    statements.Add(new OutputStatement(Current.Offset, ReadTuple(withConditional: true)));
                    Expect(TokenKind.VariableEnd, "}}");
                    break;
                default:
                    _at++;
                    Token name = Current;
                    if (name.Kind == TokenKind.Name && ends.Contains(name.Text))
                    {
                        _depth--;
                        return new Body(start, [.. statements]);
                    }

                    statements.Add(ReadStatement());
                    Expect(TokenKind.BlockEnd, "%}");
                    break;
            }
        }

        if (ends.Length > 0)
        {
            throw _source.Error(Current.Offset, $"the template ends within a block: {{% {ends[0]} %}} is missing");
        }

        _depth--;
        return new Body(start, [.. statements]);
    }

    /// <summary>The statements of a block: behind its first tag, up to the tag that ends it, of which only the closing sign is left.</summary>
    private Body ReadBlock(string end)
    {
        EndTag();
        Body body = ReadBody(end);
        _at++;
        return body;
    }

    /// <summary>A block whose body is a frame of its own.</summary>
    private Body ReadFramed(string end, FrameNames? frame = null)
    {
        FrameNames outer = _frame;
        _frame = frame ?? new FrameNames(outer);
        (int known, int loops) = (_unknown.Count, _loops);
        _loops = 0;
        Body body = ReadBlock(end);
        _frame.Body = body;
        (_frame, _loops) = (outer, loops);
        RequireKnown(known);
        return body;
    }

    /// <summary>The end of a block's first tag, which may carry a colon as in Python.</summary>
    private void EndTag()
    {
        SkipOperator(":");
        Expect(TokenKind.BlockEnd, "%}");
    }

    private Statement ReadStatement()
    {
        _links = 0;
        Token tag = Current;
        if (tag.Kind != TokenKind.Name)
        {
            throw Unexpected("the name of a tag");
        }

        _at++;
        switch (tag.Text)
        {
            case "for":
                return ReadFor(tag.Offset);
            case "if":
                return ReadIf(tag.Offset);
            case "set":
                return ReadSet(tag.Offset);
            case "macro":
                return ReadMacro(tag.Offset);
            case "call":
                return ReadCall(tag.Offset);
            case "filter":
                FilterExpression filter = ReadFilters(null, startsInline: true)!;
                return new FilterBlockStatement(tag.Offset, filter, ReadFramed("endfilter"));
            case "with":
                return ReadWith(tag.Offset);
            case "generation":
                _marksGenerated = true;
                return new GenerationStatement(tag.Offset, ReadFramed("endgeneration"));
            case "print":
                return new OutputStatement(tag.Offset, ReadTuple(withConditional: true));
            case "break" or "continue":
                return _loops > 0 ? new JumpStatement(tag.Offset, tag.Text == "break" ? Flow.Break : Flow.Continue)
                    : throw _source.Error(tag.Offset, $"'{tag.Text}' stands outside of a loop");
            default:
                throw _source.Error(tag.Offset, $"there is no tag '{tag.Text}' in chat templates");
        }
    }

    private ForStatement ReadFor(int offset)
    {
        AssignmentTarget target = ReadTarget(allowAttribute: false, end: "in");
        ExpectName("in");
        Expression source = ReadTuple(withConditional: false, end: "recursive");
        FrameNames outer = _frame;
        _frame = new FrameNames(outer);
        Expression? condition = SkipName("if") ? ReadExpression() : null;
        bool isRecursive = SkipName("recursive");
        EndTag();

        int known = _unknown.Count;
        _loops++;
        _frame = new FrameNames(outer);
        _frame.Parameter("loop");
        Declare(target);
        Body body = _frame.Body = ReadBody("endfor", "else");
        _loops--;
        Body? otherwise = null;
        if (SkipName("else"))
        {
            EndTag();
            _frame = new FrameNames(outer);
            otherwise = _frame.Body = ReadBody("endfor");
        }

        _at++;
        _frame = outer;
        RequireKnown(known);
        return new ForStatement(offset, target, source, condition, isRecursive, body, otherwise);
    }

    /// <summary>The names of a target are the frame's from its beginning.</summary>
    private void Declare(AssignmentTarget target)
    {
        switch (target)
        {
            case NameTarget name:
                _frame.Parameter(name.Name);
                break;
            case TupleTarget tuple:
                Array.ForEach(tuple.Targets, Declare);
                break;
        }
    }

    /// <summary>The names of a target are set here.</summary>
    private void NoteSet(AssignmentTarget target)
    {
        switch (target)
        {
            case NameTarget name:
                _frame.Set(name.Name);
                break;
            case TupleTarget tuple:
                Array.ForEach(tuple.Targets, NoteSet);
                break;
            case NamespaceTarget space:
                _frame.Read(space.Space);
                break;
        }
    }

    private IfStatement ReadIf(int offset)
    {
        int known = _unknown.Count;
        var branches = new List<(Expression, Body)>();
        Body? otherwise = null;
        Expression condition = ReadTuple(withConditional: false);
        EndTag();
        object outer = _frame.BeginBranch();
        branches.Add((condition, ReadBody("elif", "else", "endif")));
        object first = _frame.EndBranch(outer);
        outer = _frame.BeginBranch();
        while (SkipName("elif"))
        {
            condition = ReadTuple(withConditional: false);
            EndTag();
            object inner = _frame.BeginBranch();
            branches.Add((condition, ReadBody("elif", "else", "endif")));
            _frame.JoinOne(_frame.EndBranch(inner));
        }

        object middle = _frame.EndBranch(outer);
        outer = _frame.BeginBranch();
        if (SkipName("else"))
        {
            EndTag();
            otherwise = ReadBody("endif");
        }

        _frame.Join(first, middle, _frame.EndBranch(outer));
        _at++;
        Forgive(known);
        return new IfStatement(offset, [.. branches], otherwise);
    }

    private Statement ReadSet(int offset)
    {
        AssignmentTarget target = ReadTarget(allowAttribute: true, end: "");
        if (SkipOperator("="))
        {
            Expression value = ReadTuple(withConditional: true);
            NoteSet(target);
            return new SetStatement(offset, target, value);
        }

        NoteSet(target);
        FilterExpression? filter = ReadFilters(null, startsInline: false);
        return new SetBlockStatement(offset, target, filter, ReadFramed("endset"));
    }

    private MacroStatement ReadMacro(int offset)
    {
        Token name = Current;
        _ = ReadTargetName();
        _frame.Set(name.Text);
        return new MacroStatement(offset, ReadMacroDefinition(offset, name.Text, "endmacro"));
    }

    private CallBlockStatement ReadCall(int offset)
    {
        var frame = new FrameNames(_frame);
        (string[] parameters, Expression[] defaults, HashSet<string> names) = Current.IsOperator("(") ? ReadSignature(frame) : ([], [], []);
        Token start = Current;
        if (ReadExpression() is not CallExpression call)
        {
            throw _source.Error(start.Offset, "a call block needs a call");
        }

        return new CallBlockStatement(offset, call, ReadMacroBody(offset, null, parameters, defaults, names, "endcall", frame));
    }

    private MacroDefinition ReadMacroDefinition(int offset, string name, string end)
    {
        var frame = new FrameNames(_frame);
        (string[] parameters, Expression[] defaults, HashSet<string> names) = ReadSignature(frame);
        return ReadMacroBody(offset, name, parameters, defaults, names, end, frame);
    }

    private MacroDefinition ReadMacroBody(int offset, string? name, string[] parameters, Expression[] defaults, HashSet<string> names, string end, FrameNames frame)
    {
        Array.ForEach(["caller", "kwargs", "varargs"], frame.Parameter);
        _macroNames.Push(names);
        Body body = ReadFramed(end, frame);
        _macroNames.Pop();
        if (_macroNames.TryPeek(out HashSet<string>? outer))
        {
            outer.UnionWith(names);
        }

        return new MacroDefinition(offset, name, parameters, defaults, body)
        {
            UsesCaller = names.Contains("caller"),
            CatchesNamed = names.Contains("kwargs"),
            CatchesPositional = names.Contains("varargs"),
        };
    }

    /// <summary>The parameters of a macro or call block, whose defaults are read in its frame, and the names that those read.</summary>
    private (string[] Parameters, Expression[] Defaults, HashSet<string> Names) ReadSignature(FrameNames frame)
    {
        FrameNames outer = _frame;
        _frame = frame;
        _macroNames.Push([]);
        (string[] parameters, Expression[] defaults) = ReadSignature();
        _frame = outer;
        return (parameters, defaults, _macroNames.Pop());
    }

    private (string[] Parameters, Expression[] Defaults) ReadSignature()
    {
        var parameters = new List<string>();
        var defaults = new List<Expression>();
        ExpectOperator("(");
        while (!Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOperator(",");
            }

            Token name = Current;
            parameters.Add(ReadTargetName());
            _frame.Parameter(name.Text);
            if (SkipOperator("="))
            {
                defaults.Add(ReadExpression());
            }
            else if (defaults.Count > 0)
            {
                throw _source.Error(name.Offset, $"the parameter '{name.Text}' needs a default, as one before it has one");
            }
        }

        _at++;
        return ([.. parameters], [.. defaults]);
    }

    private WithStatement ReadWith(int offset)
    {
        var assignments = new List<(AssignmentTarget, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
            {
                ExpectOperator(",");
            }

            AssignmentTarget target = ReadTarget(allowAttribute: false, end: "", withTuple: false);
            ExpectOperator("=");
            assignments.Add((target, ReadExpression()));
        }

        int known = _unknown.Count;
        FrameNames outer = _frame;
        _frame = new FrameNames(outer);
        assignments.ForEach(assignment => Declare(assignment.Item1));
        Body body = _frame.Body = ReadBlock("endwith");
        _frame = outer;
        RequireKnown(known);
        return new WithStatement(offset, [.. assignments], body);
    }

    /// <param name="allowAttribute">Whether an attribute of a namespace will do.</param>
    /// <param name="end">A name that ends the target.</param>
    /// <param name="withTuple">Whether several names may stand in a row.</param>
    private AssignmentTarget ReadTarget(bool allowAttribute, string end, bool withTuple = true)
    {
        Token start = Current;
        if (allowAttribute && start.Kind == TokenKind.Name && _tokens[_at + 1].IsOperator("."))
        {
            _at += 2;
            Token attribute = Current;
            ExpectKind(TokenKind.Name, "the name of an attribute");
            return new NamespaceTarget(start.Offset, start.Text, attribute.Text);
        }

        var targets = new List<AssignmentTarget>();
        bool isTuple = false;
        while (!Current.IsName(end) && Current.Kind is TokenKind.Name || Current.IsOperator("("))
        {
            targets.Add(ReadSingleTarget());
            if (!withTuple || !SkipOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        return targets.Count == 0 ? throw Unexpected("a name to assign to") : isTuple ? new TupleTarget(start.Offset, [.. targets]) : targets[0];
    }

    private AssignmentTarget ReadSingleTarget()
    {
        Token start = Current;
        if (!SkipOperator("("))
        {
            return new NameTarget(start.Offset, ReadTargetName());
        }

        Enter();
        AssignmentTarget inner = ReadTarget(allowAttribute: false, end: "");
        _depth--;
        ExpectOperator(")");
        return inner;
    }

    private string ReadTargetName()
    {
        Token name = Current;
        ExpectKind(TokenKind.Name, "a name to assign to");
        return name.Text is "true" or "false" or "none" or "True" or "False" or "None" ? throw _source.Error(name.Offset, $"'{name.Text}' cannot be assigned to") : name.Text;
    }
}
