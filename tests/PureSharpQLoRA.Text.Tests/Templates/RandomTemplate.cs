namespace PureSharpQLoRA.Text.Tests.Templates;

/// <summary>Writes templates at random from a small grammar, over the variables of the fuzz tests.</summary>
internal sealed class RandomTemplate(int seed)
{
    private static readonly string[] Names = ["s", "t", "e", "n", "z", "m", "f", "g", "h", "y", "no", "none_", "l", "k", "x", "d", "o", "r", "u", "missing", "messages"];

    private static readonly string[] Literals = ["0", "1", "2", "-1", "1.5", "'a'", "'l'", "' '", "''", "none", "true", "false", "[]", "{}", "()", "'Hello'", "1e3", "10", "'%s'", "0x1F", "1_000"];

    private static readonly string[] Filters =
    [
        "upper", "lower", "trim", "length", "list", "first", "last", "join(',')", "join", "tojson", "tojson(indent=2)", "default('z')", "default('z', true)", "int", "float", "string", "abs",
        "reverse|list", "sort", "unique|list", "sum", "min", "max", "replace('l', 'L')", "title", "capitalize", "round(1)", "map('upper')|list", "map(attribute='id')|list", "select|list",
        "reject|list", "selectattr('id')|list", "selectattr('id', 'eq', 1)|list", "rejectattr('v', 'defined')|list", "items|list", "dictsort", "batch(2)|list", "slice(2)|list", "indent(2)",
        "indent(1, true, true)", "wordcount", "truncate(5)", "center(9)", "count", "groupby('id')", "attr('id')", "format('q')", "map('int')|sum", "select('string')|list", "round", "urlencode",
        "sort(reverse=true)", "tojson(separators=(',', ':'))", "int(default=4)", "round(-1)", "round(1, 'ceil')", "round(0, 'floor')", "select('odd')|list", "map(attribute='v', default='?')|list",
    ];

    private static readonly string[] Tests =
    [
        "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "true", "false", "odd", "even", "divisibleby 2", "eq 1", "ne 'a'",
        "in [1, 'a', 7]", "lower", "upper", "callable", "sameas none", "gt 1", "lt 2.5", "ge 'a'", "equalto n",
    ];

    private static readonly string[] Methods =
    [
        "strip()", "lstrip()", "rstrip('d')", "split()", "split(',')", "split('l', 1)", "rsplit(None, 1)", "upper()", "lower()", "title()", "capitalize()", "startswith('H')", "endswith(('d', 'b'))",
        "replace('l', '')", "find('l')", "rfind('o')", "count('l')", "join(k)", "splitlines()", "isdigit()", "isalpha()", "isupper()", "zfill(15)", "center(15, '*')", "ljust(14)", "partition(',')",
        "items()", "keys()|list", "values()|list", "get('a')", "get('q', 1)", "index('l')", "index(1)", "count(1)", "append(1)", "copy()", "swapcase()", "removeprefix('H')", "format(1)",
        "isspace()", "real", "a", "items", "b[1].c", "nothing", "find('')", "casefold()", "istitle()", "isalnum()", "rpartition('l')", "expandtabs(4)", "rindex('l')", "update({})",
    ];

    private static readonly string[] Operators = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "**"];

    private readonly Random _random = new(seed);

    public string Expression(int depth)
    {
        if (depth == 0)
        {
            return Pick(_random.Next(3) == 0 ? Literals : Names);
        }

        string inner = Expression(depth - 1);
        switch (_random.Next(14))
        {
            case 0 or 1 or 2:
                return $"{inner}|{Pick(Filters)}";
            case 3:
                return $"({inner} is {(_random.Next(4) == 0 ? "not " : "")}{Pick(Tests)})";
            case 4 or 5:
                return $"({inner}).{Pick(Methods)}";
            case 6:
                return $"({inner})[{Expression(0)}]";
            case 7:
                return $"({Pick(Names)})[{Bound()}:{Bound()}{(_random.Next(3) == 0 ? ":" + Bound() : "")}]";
            case 8:
                return $"({inner} if {Expression(depth - 1)} else {Expression(0)})";
            case 9:
                return $"[{inner}, {Expression(0)}]";
            case 10:
                return $"{{'k': {inner}, {Pick(Names)}: 1}}";
            case 11:
                return _random.Next(2) == 0 ? $"not {inner}" : $"-{Expression(0)}";
            default:
                string right = Expression(_random.Next(depth));
                return _random.Next(3) == 0 ? $"{inner} {Pick(Operators)} {right}" : $"({inner} {Pick(Operators)} {right})";
        }
    }

    public string Template(int depth)
    {
        string text = "";
        for (int parts = _random.Next(1, 4); parts > 0; parts--)
        {
            text += Part(depth);
        }

        return text;
    }

    private string Part(int depth)
    {
        switch (_random.Next(depth > 0 ? 15 : 4))
        {
            case 0:
                return Pick(["text", " \n", "\n  ", "  ", "\t\n\n", "a\r\nb ", " x"]);
            case 1 or 2:
                return $"{{{{{Pick(["", "-"])} {Safe()} {End()}}}}}";
            case 3:
                return $"{{%{Sign()} set {Pick(["n", "q", "s", "w"])} = {Safe()} {End()}%}}";
            case 4 or 5:
                return $"{{%{Sign()} if {Safe()} {End()}%}}{Template(depth - 1)}{(_random.Next(2) == 0 ? $"{{% else {End()}%}}{Template(depth - 1)}" : "")}{{%{Sign()} endif {End()}%}}";
            case 6 or 7:
                string filter = _random.Next(4) == 0 ? " if i != 1" : "";
                return $"{{%{Sign()} for i in {Pick(["l", "k", "s", "r", "d", "x", "range(3)", "l|reverse", "k|map('lower')"])}{filter} {End()}%}}{Template(depth - 1)}{Loop()}{{%{Sign()} endfor {End()}%}}";
            case 8:
                return $"{{% macro f(a, b=2) {End()}%}}{{{{ a }}}}{Template(depth - 1)}{{% endmacro %}}{{{{ f({Expression(0)}, {Pick(["1", "b=n", "b=s"])}) }}}}";
            case 9:
                return $"{{% set w %}}{Template(depth - 1)}{{% endset {End()}%}}{{{{ w|{Pick(["trim", "length", "upper"])} }}}}";
            case 10:
                return $"{{% set ns = namespace(v={Expression(0)}) %}}{{% for i in l %}}{{% set ns.v = {Pick(["ns.v ~ i", "i", "[ns.v, i]"])} %}}{Template(depth - 1)}{{% endfor %}}{{{{ ns.v }}}}";
            case 11:
                return $"{{#{Sign()} comment {End()}#}}";
            case 12:
                return $"{{% filter {Pick(["upper", "trim", "replace('a', 'b')"])} %}}{Template(depth - 1)}{{% endfilter %}}";
            case 13:
                return $"{{% with q = {Expression(1)} %}}{Template(depth - 1)}{{{{ q }}}}{{% endwith %}}";
            default:
                return $"{{% generation %}}{Template(depth - 1)}{{% endgeneration %}}";
        }
    }

    /// <summary>Mostly expressions that do not fail, so that whole templates have a text.</summary>
    private string Safe() => _random.Next(5) == 0 ? Expression(2)
        : Pick(["s", "n", "u", "i", "q", "w", "missing", "l", "d", "n > 3", "s|upper", "l|join('-')", "messages[0].role", "d.b[1]", "f * 2", "t|trim", "n % 2 == 0", "y and no", "'z' ~ n", "r|map(attribute='v')|list", "i is defined", "loop is defined"]);

    private string Loop() => Pick(["", "", "{{ loop.index }}", "{% if loop.last %}!{% endif %}", "{{ loop.length ~ loop.revindex0 }}", "{{ loop.previtem }}<", "{{ loop.nextitem|default('end') }}",
        "{% if loop.first %}{% continue %}{% endif %}", "{% if loop.index == 2 %}{% break %}{% endif %}", "{{ loop.cycle('a', 'b') }}", "{% else %}none", "{{ loop }}", "{{ loop.changed(i) }}"]);

    private string Sign() => Pick(["", "", "", "-", "+"]);

    private string End() => Pick(["", "", "", "-"]);

    private string Bound() => Pick(["", "", "1", "-1", "2", "-2", "0", "n", "m", "100"]);

    private T Pick<T>(T[] from) => from[_random.Next(from.Length)];
}
