namespace PureSharpQLoRA.Text.Templates;

/// <summary>Numbers and truth values as objects, the common ones made once.</summary>
internal static class Boxed
{
    private const int Smallest = -16, Largest = 512;

    private static readonly object[] Small = [.. Enumerable.Range(Smallest, Largest - Smallest + 1).Select(value => (object)(long)value)];

    public static readonly object True = true;

    public static readonly object False = false;

    public static object Truth(bool value) => value ? True : False;

    public static object Integer(long value) => value is >= Smallest and <= Largest ? Small[value - Smallest] : value;
}
