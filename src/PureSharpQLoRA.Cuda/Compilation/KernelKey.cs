using System.Reflection;

namespace PureSharpQLoRA.Cuda.Compilation;

/// <summary>Names one kernel: a static method of a class, closed over up to four types.</summary>
/// <param name="Class">The class that holds the method; closed, where it is generic.</param>
/// <param name="Method">The method.</param>
/// <param name="Threads">Threads per block.</param>
/// <param name="MinimumBlocks">Blocks that should fit on a multiprocessor together, which bounds the registers; 0 for no bound.</param>
/// <param name="First">The first type argument of the method, null for none; the others follow.</param>
/// <param name="Second">The second.</param>
/// <param name="Third">The third.</param>
/// <param name="Fourth">The fourth.</param>
/// <param name="Label">What stands for the types in the name, where they are many.</param>
public readonly record struct KernelKey(
    Type Class, string Method, int Threads, int MinimumBlocks = 0, Type? First = null, Type? Second = null, Type? Third = null, Type? Fourth = null,
    string? Label = null)
{
    /// <summary>For example "RmsNormKernels.Forward(HalfElements)".</summary>
    public string Name
    {
        get
        {
            if (Label is not null)
            {
                return $"{Class.Name[..Class.Name.IndexOf('`', StringComparison.Ordinal)]}.{Method}({Label})";
            }

            Type[] types = TypeArguments();
            return types.Length == 0 ? $"{Short(Class)}.{Method}" : $"{Short(Class)}.{Method}({string.Join(", ", types.Select(Short))})";
        }
    }

    /// <summary>The method to compile.</summary>
    /// <exception cref="MissingMethodException">The class has no such static method.</exception>
    internal MethodInfo Resolve()
    {
        MethodInfo method = Class.GetMethod(Method, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            ?? throw new MissingMethodException(Class.FullName, Method);
        Type[] types = TypeArguments();
        return types.Length == 0 ? method : method.MakeGenericMethod(types);
    }

    private static string Short(Type type)
    {
        if (!type.IsGenericType)
        {
            return type.Name;
        }

        string name = type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)];
        return $"{name}<{string.Join(", ", type.GetGenericArguments().Select(Short))}>";
    }

    private Type[] TypeArguments() => [.. new[] { First, Second, Third, Fourth }.OfType<Type>()];
}
