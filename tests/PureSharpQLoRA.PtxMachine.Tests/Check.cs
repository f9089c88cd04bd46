namespace PureSharpQLoRA.PtxMachine.Tests;

/// <summary>Assertions that name the instruction, lane or element at fault, which xunit's own equality does not.</summary>
public static class Check
{
    public static void Equal<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            Assert.Fail($"{what}: expected {expected}, got {actual}");
        }
    }

    public static void Near(double expected, double actual, double tolerance, string what)
    {
        if ((double.IsNaN(expected) && double.IsNaN(actual)) || expected == actual)
        {
            return;
        }
        if (!(Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected))))
        {
            Assert.Fail($"{what}: expected {expected}, got {actual}");
        }
    }

    /// <summary>The action throws exactly <typeparamref name="T"/>, with a message that holds every fragment.</summary>
    public static T Throws<T>(Action action, params ReadOnlySpan<string> fragments) where T : Exception
    {
        T exception = Assert.Throws<T>(action);
        foreach (string fragment in fragments)
        {
            Assert.Contains(fragment, exception.Message, StringComparison.Ordinal);
        }
        return exception;
    }
}
