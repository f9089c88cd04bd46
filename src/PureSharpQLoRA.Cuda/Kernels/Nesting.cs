namespace PureSharpQLoRA.Cuda.Kernels;

/// <summary>Builds nested types, over which the static abstract methods of kernels recurse: loops that are unrolled when ILGPU compiles them.</summary>
internal static class Nesting
{
    /// <summary>A number of leaves joined in a balanced tree.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <param name="join">A generic type of two.</param>
    /// <param name="count">At least one.</param>
    public static Type Of(Type leaf, Type join, int count)
    {
        if (count == 1)
        {
            return leaf;
        }

        int left = 1;
        while (left * 2 < count)
        {
            left *= 2;
        }

        return join.MakeGenericType(Of(leaf, join, left), Of(leaf, join, count - left));
    }
}
