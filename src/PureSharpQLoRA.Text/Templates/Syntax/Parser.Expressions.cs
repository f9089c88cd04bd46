namespace PureSharpQLoRA.Text.Templates;

/// <summary>Reads a template into a syntax tree: expressions, by falling precedence.</summary>
internal sealed partial class Parser
{
    private Expression ReadExpression(bool withConditional = true)
    {
        Enter();
        Expression value = withConditional ? ReadConditional() : ReadOr();
        _depth--;
        return value;
    }

    private Expression ReadConditional()
    {
        int known = _unknown.Count;
        Expression value = ReadOr();
        while (Current.IsName("if"))
        {
            int offset = Current.Offset;
            _at++;
            Expression condition = ReadOr();
            Expression? otherwise = SkipName("else") ? ReadNestedConditional() : null;
            value = Chained(new Conditional(offset, condition, value, otherwise));
            Forgive(known);
        }

        return value;
    }

    private Expression ReadNestedConditional()
    {
        Enter();
        Expression value = ReadConditional();
        _depth--;
        return value;
    }

    private Expression ReadOr()
    {
        Expression value = ReadAnd();
        for (int offset = Current.Offset; SkipName("or"); offset = Current.Offset)
        {
            value = Chained(new Logical(offset, isAnd: false, value, ReadAnd()));
        }

        return value;
    }

    private Expression ReadAnd()
    {
        Expression value = ReadNot();
        for (int offset = Current.Offset; SkipName("and"); offset = Current.Offset)
        {
            value = Chained(new Logical(offset, isAnd: true, value, ReadNot()));
        }

        return value;
    }

    private Expression ReadNot()
    {
        int offset = Current.Offset;
        if (!SkipName("not"))
        {
            return ReadComparison();
        }

        Enter();
        var value = new Negation(offset, ReadNot());
        _depth--;
        return value;
    }

    private Expression ReadComparison()
    {
        Expression first = ReadSum();
        List<(string, Expression)>? rest = null;
        int offset = Current.Offset;
        while (true)
        {
            Token token = Current;
            string? sign = token.Kind == TokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" ? token.Text
                : token.IsName("in") ? "in" : token.IsName("not") && _tokens[_at + 1].IsName("in") ? "not in" : null;
            if (sign is null)
            {
                return rest is null ? first : new ComparisonChain(offset, first, [.. rest]);
            }

            _at += sign == "not in" ? 2 : 1;
            (rest ??= []).Add((sign, ReadSum()));
        }
    }

    private Expression ReadSum() => ReadLeftAssociative("+-", ReadConcatenation);

    private Expression ReadConcatenation()
    {
        int offset = Current.Offset;
        Expression first = ReadProduct();
        if (!Current.IsOperator("~"))
        {
            return first;
        }

        var parts = new List<Expression> { first };
        while (SkipOperator("~"))
        {
            parts.Add(ReadProduct());
        }

        return new Concatenation(offset, [.. parts]);
    }

    private Expression ReadProduct()
    {
        Expression value = ReadPower();
        while (Current is { Kind: TokenKind.Operator, Text: "*" or "/" or "//" or "%" } token)
        {
            _at++;
            value = Chained(new Arithmetic(token.Offset, token.Text, value, ReadPower()));
        }

        return value;
    }

    /// <remarks>Unlike Python's, Jinja's power groups from the left and binds less than a sign before it.</remarks>
    private Expression ReadPower() => ReadLeftAssociative("**", () => ReadUnary(withFilter: true));

    private Expression ReadLeftAssociative(string signs, Func<Expression> readOperand)
    {
        Expression value = readOperand();
        while (Current.Kind == TokenKind.Operator && (Current.Text == signs || (signs == "+-" && Current.Text is "+" or "-")))
        {
            Token token = Current;
            _at++;
            value = Chained(new Arithmetic(token.Offset, token.Text, value, readOperand()));
        }

        return value;
    }

    private Expression ReadUnary(bool withFilter)
    {
        Token token = Current;
        Expression value;
        if (SkipOperator("-") || SkipOperator("+"))
        {
            Enter();
            value = new SignExpression(token.Offset, token.Text == "-", ReadUnary(withFilter: false));
            _depth--;
        }
        else
        {
            value = ReadPrimary();
        }

        value = ReadPostfix(value);
        return withFilter ? ReadFiltersAndTests(value) : value;
    }

    private Expression ReadPrimary()
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                _at++;
                return ReadName(token);
            case TokenKind.String:
                string text = "";
                for (; Current.Kind == TokenKind.String; _at++)
                {
                    text += Current.Text;
                }

                return new Constant(token.Offset, text);
            case TokenKind.Number:
                _at++;
                return new Constant(token.Offset, token.Value!);
            case TokenKind.Operator when token.Text == "(":
                _at++;
                Expression inner = ReadTuple(withConditional: true, mayBeEmpty: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return ReadList();
            case TokenKind.Operator when token.Text == "{":
                return ReadDict();
            default:
                throw Unexpected("a value");
        }
    }

    private Expression ReadName(Token token)
    {
        switch (token.Text)
        {
            case "true" or "True":
                return new Constant(token.Offset, Boxed.True);
            case "false" or "False":
                return new Constant(token.Offset, Boxed.False);
            case "none" or "None":
                return new Constant(token.Offset, None.Value);
            default:
                _frame.Read(token.Text);
                if (_macroNames.TryPeek(out HashSet<string>? names))
                {
                    names.Add(token.Text);
                }

                return new NameExpression(token.Offset, token.Text);
        }
    }

    /// <summary>One expression, or several with commas between them, which make a tuple.</summary>
    private Expression ReadTuple(bool withConditional, string end = "", bool mayBeEmpty = false)
    {
        int offset = Current.Offset;
        var items = new List<Expression>();
        bool isTuple = false;
        while (!EndsTuple(end))
        {
            items.Add(ReadExpression(withConditional));
            if (!SkipOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        return isTuple || (items.Count == 0 && mayBeEmpty) ? new TupleExpression(offset, [.. items])
            : items.Count == 1 ? items[0]
            : throw Unexpected("an expression");
    }

    private bool EndsTuple(string end) =>
        Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.IsOperator(")") || (end.Length > 0 && Current.IsName(end));

    private ListExpression ReadList()
    {
        int offset = Current.Offset;
        _at++;
        var items = new List<Expression>();
        while (!Current.IsOperator("]"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            if (!Current.IsOperator("]"))
            {
                items.Add(ReadExpression());
            }
        }

        _at++;
        return new ListExpression(offset, [.. items]);
    }

    private DictExpression ReadDict()
    {
        int offset = Current.Offset;
        _at++;
        var entries = new List<(Expression, Expression)>();
        while (!Current.IsOperator("}"))
        {
            if (entries.Count > 0)
            {
                ExpectOperator(",");
            }

            if (!Current.IsOperator("}"))
            {
                Expression key = ReadExpression();
                ExpectOperator(":");
                entries.Add((key, ReadExpression()));
            }
        }

        _at++;
        return new DictExpression(offset, [.. entries]);
    }

    private Expression ReadPostfix(Expression value)
    {
        while (Current.Kind == TokenKind.Operator)
        {
            Token token = Current;
            switch (token.Text)
            {
                case ".":
                    _at++;
                    value = Chained(ReadAttribute(value, token.Offset));
                    break;
                case "[":
                    _at++;
                    value = Chained(ReadElement(value, token.Offset));
                    break;
                case "(":
                    value = Chained(new CallExpression(token.Offset, value, ReadArguments()));
                    break;
                default:
                    return value;
            }
        }

        return value;
    }

    private Expression ReadAttribute(Expression owner, int offset)
    {
        Token name = Current;
        _at++;
        return name switch
        {
            { Kind: TokenKind.Name } => new AttributeExpression(offset, owner, name.Text),
            { Kind: TokenKind.Number, Value: long } => new ElementExpression(offset, owner, new Constant(name.Offset, name.Value)),
            _ => throw _source.Error(name.Offset, $"the name of an attribute is expected, and found is {name.Shown}"),
        };
    }

    private Expression ReadElement(Expression owner, int offset)
    {
        var keys = new List<Expression>();
        while (!Current.IsOperator("]"))
        {
            if (keys.Count > 0)
            {
                ExpectOperator(",");
            }

            Expression? start = Current.IsOperator(":") ? null : ReadExpression();
            if (start is not null && !Current.IsOperator(":"))
            {
                keys.Add(start);
                continue;
            }

            if (keys.Count > 0)
            {
                throw Unexpected("a key");
            }

            Expression slice = ReadSlice(owner, offset, start);
            ExpectOperator("]");
            return slice;
        }

        _at++;
        return new ElementExpression(offset, owner, keys.Count == 1 ? keys[0] : new TupleExpression(offset, [.. keys]));
    }

    private SliceExpression ReadSlice(Expression owner, int offset, Expression? start)
    {
        ExpectOperator(":");
        Expression? stop = Current.IsOperator("]") || Current.IsOperator(":") ? null : ReadExpression();
        Expression? step = SkipOperator(":") && !Current.IsOperator("]") ? ReadExpression() : null;
        return new SliceExpression(offset, owner, start, stop, step);
    }

    private CallArguments ReadArguments()
    {
        ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? spread = null, spreadNamed = null;
        for (bool first = true; !Current.IsOperator(")"); first = false)
        {
            if (!first)
            {
                ExpectOperator(",");
                if (Current.IsOperator(")"))
                {
                    break;
                }
            }

            Token token = Current;
            if (SkipOperator("*"))
            {
                spread = spread is null && spreadNamed is null ? ReadExpression() : throw Misplaced(token);
            }
            else if (SkipOperator("**"))
            {
                spreadNamed = spreadNamed is null ? ReadExpression() : throw Misplaced(token);
            }
            else if (token.Kind == TokenKind.Name && _tokens[_at + 1].IsOperator("="))
            {
                _at += 2;
                bool isNew = spreadNamed is null && !named.Exists(argument => argument.Item1 == token.Text);
                named.Add((token.Text, isNew ? ReadExpression() : throw Misplaced(token)));
            }
            else
            {
                positional.Add(spread is null && spreadNamed is null && named.Count == 0 ? ReadExpression() : throw Misplaced(token));
            }
        }

        _at++;
        return positional.Count + named.Count == 0 && spread is null && spreadNamed is null ? CallArguments.None : new CallArguments([.. positional], [.. named], spread, spreadNamed);
    }

    private TemplateException Misplaced(Token token) => _source.Error(token.Offset, "this argument cannot follow the ones before it");

    private Expression ReadFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (Current.IsOperator("|"))
            {
                value = ReadFilters(value, startsInline: false)!;
            }
            else if (Current.IsName("is"))
            {
                value = Chained(ReadTest(value));
            }
            else if (Current.IsOperator("("))
            {
                value = Chained(new CallExpression(Current.Offset, value, ReadArguments()));
            }
            else
            {
                return value;
            }
        }
    }

    private FilterExpression? ReadFilters(Expression? operand, bool startsInline)
    {
        Expression? value = operand;
        for (; startsInline || SkipOperator("|"); startsInline = false)
        {
            Token token = Current;
            string name = ReadDottedName("the name of a filter");
            if (!Filters.All.TryGetValue(name, out Filter? filter))
            {
                _unknown.Add(_source.Error(token.Offset, $"there is no filter '{name}'"));
            }

            value = Chained(new FilterExpression(token.Offset, name, filter, value, Current.IsOperator("(") ? ReadArguments() : CallArguments.None));
        }

        return value as FilterExpression;
    }

    private Expression ReadTest(Expression operand)
    {
        int offset = Current.Offset;
        _at++;
        bool isNegated = SkipName("not");
        Token token = Current;
        string name = ReadDottedName("the name of a test");
        CallArguments arguments = CallArguments.None;
        if (Current.IsOperator("("))
        {
            arguments = ReadArguments();
        }
        else if (BeginsArgument(Current))
        {
            if (Current.IsName("is"))
            {
                throw _source.Error(Current.Offset, "tests cannot be chained with 'is'; put the first one in brackets");
            }

            arguments = new CallArguments([ReadPostfix(ReadPrimary())], [], null, null);
        }

        if (!Tests.All.TryGetValue(name, out Test? test))
        {
            _unknown.Add(_source.Error(token.Offset, $"there is no test '{name}'"));
        }

        Expression result = new TestExpression(offset, name, test, operand, arguments);
        return isNegated ? new Negation(offset, result) : result;
    }

    private static bool BeginsArgument(Token token) => token.Kind switch
    {
        TokenKind.Name => token.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Number => true,
        TokenKind.Operator => token.Text is "[" or "{",
        _ => false,
    };

    private string ReadDottedName(string what)
    {
        Token token = Current;
        ExpectKind(TokenKind.Name, what);
        string name = token.Text;
        while (SkipOperator("."))
        {
            Token part = Current;
            ExpectKind(TokenKind.Name, what);
            name += "." + part.Text;
        }

        return name;
    }
}
