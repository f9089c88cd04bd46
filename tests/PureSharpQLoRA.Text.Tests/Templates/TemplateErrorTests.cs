using System.Diagnostics;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text.Tests.Templates;

public class TemplateErrorTests
{
    [Theory]
    [InlineData("ab\n{% if x %}", 2, 11, "{% elif %} is missing")]
    [InlineData("{{ x", 1, 1, "}} is missing")]
    [InlineData("\n\n {{ 'x }}", 3, 5, "the string that begins here has no end")]
    [InlineData("{# x", 1, 1, "the comment that begins here has no end")]
    [InlineData("{% raw %} x", 1, 1, "endraw")]
    [InlineData("{{ x y }}", 1, 6, "'}}' is expected, and found is 'y'")]
    [InlineData("{{ 1 + }}", 1, 8, "a value is expected, and found is '}}'")]
    [InlineData("{% endfor %}", 1, 4, "there is no tag 'endfor'")]
    [InlineData("{% include 'x' %}", 1, 4, "there is no tag 'include'")]
    [InlineData("{{ x|nofilter }}", 1, 6, "there is no filter 'nofilter'")]
    [InlineData("{{ x is notest }}", 1, 9, "there is no test 'notest'")]
    [InlineData("{{ x ! y }}", 1, 6, "the character '!' has no meaning here")]
    [InlineData("{{ (1] }}", 1, 6, "']' closes no bracket")]
    [InlineData("{% break %}", 1, 4, "'break' stands outside of a loop")]
    [InlineData("{% set true = 1 %}", 1, 8, "'true' cannot be assigned to")]
    [InlineData("{{ f(a=1, 2) }}", 1, 11, "this argument cannot follow the ones before it")]
    [InlineData("{{ '\\xg' }}", 1, 5, "the escape needs 2 hexadecimal digits")]
    [InlineData("{{ 1 }}\r\n{{ x + 1 }}", 2, 6, "'x' is undefined")]
    [InlineData("{{ [1].foo.bar }}", 1, 11, "a list has no attribute 'foo'")]
    [InlineData("{{ 1 / 0 }}", 1, 6, "division by zero")]
    [InlineData("{{ none + 'x' }}", 1, 9, "'+' does not work between None and a str")]
    [InlineData("{{ x|tojson }}", 1, 6, "an undefined value has no JSON form")]
    [InlineData("{{ [].append(1) }}", 1, 13, "'append' would change a list, which templates may not")]
    [InlineData("{{ range(1000000) }}", 1, 9, "longer than the 100000")]
    [InlineData("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", 1, 35, "the macro 'm' takes at most 1 arguments, and got 2")]
    [InlineData("{% for a, b in [1] %}{% endfor %}", 1, 4, "an int cannot be iterated over")]
    [InlineData("{% set x.y = 1 %}", 1, 8, "attributes can only be set on a namespace")]
    public void Errors_name_line_and_column(string template, int line, int column, string reason)
    {
        TemplateException error = Assert.Throws<TemplateException>(() => Render(template));
        Assert.Contains(reason, error.Reason, StringComparison.Ordinal);
        Assert.Equal((line, column), (error.Line, error.Column));
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")]
    [InlineData("{{ 'x' * 999999999999 }}")]
    [InlineData("{% set ns = namespace(x='x') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = ns.x|map('upper') %}{% endfor %}{{ ns.x|list }}")]
    [InlineData("{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = namespace(x=ns.x) %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=(1,)) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{{ 9 ** 99999 }}")]
    [InlineData("{{ 10 ** 5000 }}")]
    [InlineData("{{ '%999999999d' % 1 }}")]
    [InlineData("{{ '{:999999999}'.format(1) }}")]
    [InlineData("{{ 'x'.center(999999999) }}")]
    [InlineData("{{ ('x' * 9999999)|replace('', 'yyyy') }}")]
    [InlineData("{{ [1] * 99999999 }}")]
    [InlineData("{% set x = 'ab' * 4000000 %}{% for i in range(99999) %}{{ x.count('b') }}{{ x[::-1]|length }}{% endfor %}")]
    [InlineData("{% for i in range(99999) %}{{ range(99999)|list|length }}{% endfor %}")]
    [InlineData("{{ [1]|batch(99999999, 1)|list }}")]
    [InlineData("{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 999 }}{% endfor %}")]
    public void A_hostile_template_fails_soon(string template)
    {
        long before = GC.GetTotalAllocatedBytes();
        var watch = Stopwatch.StartNew();
        Assert.Throws<TemplateException>(() => Render(template));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 2);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 600L << 20);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        foreach (string template in (string[])[
            "{{ " + new string('(', 5000) + "1" + new string(')', 5000) + " }}",
            "{{ " + new string('[', 5000) + new string(']', 5000) + " }}",
            "{{ " + string.Concat(Enumerable.Repeat("not ", 5000)) + "1 }}",
            "{{ " + string.Concat(Enumerable.Repeat("- ", 5000)) + "1 }}",
            "{{ x" + string.Concat(Enumerable.Repeat(".a", 5000)) + " }}",
            "{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 5000)) + " }}",
            "{{ 1" + string.Concat(Enumerable.Repeat(" or 1", 5000)) + " }}",
            "{{ 1" + string.Concat(Enumerable.Repeat(" if 1 else 1", 5000)) + " }}",
            "{{ 1" + string.Concat(Enumerable.Repeat(" if 1", 5000)) + " }}",
            "{{ x" + string.Concat(Enumerable.Repeat("|upper", 5000)) + " }}",
            string.Concat(Enumerable.Repeat("{% if 1 %}", 5000)) + string.Concat(Enumerable.Repeat("{% endif %}", 5000)),
            "{% set " + new string('(', 5000) + "x" + new string(')', 5000) + " = 1 %}"])
        {
            Assert.True(Xunit.Record.Exception(() => Render(template)) is TemplateException, template[..40]);
        }
    }

    [Fact]
    public void A_long_conversation_is_rendered()
    {
        ChatTemplate template = ChatTemplate.Parse("t", File.ReadAllText(GoldenFile.Folder(Path.Combine("templates", "own", "thinking.jinja"))));
        string words = string.Concat(Enumerable.Repeat("All work and no play. ", 100));
        var conversation = Conversation.Of(Enumerable.Range(0, 2000).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", words)));

        Assert.True(template.Render(conversation).Length > 4_000_000);
    }

    private static string Render(string template)
    {
        using var none = System.Text.Json.JsonDocument.Parse("{}");
        return Template.Parse("t", template).Render(none.RootElement).Text;
    }
}
