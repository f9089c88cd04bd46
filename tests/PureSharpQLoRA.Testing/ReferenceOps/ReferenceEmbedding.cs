namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Looking rows of a table up, and adding to them, in double.</summary>
public static class ReferenceEmbedding
{
    /// <summary>The rows of table [count, width] that the ids name.</summary>
    public static double[] Gather(double[] table, int[] ids, int width)
    {
        var y = new double[ids.Length * width];
        for (int token = 0; token < ids.Length; token++)
        {
            Array.Copy(table, ids[token] * width, y, token * width, width);
        }

        return y;
    }

    /// <summary>The gradient of <see cref="Gather"/> for the table, given dy, added to what is there.</summary>
    public static double[] ScatterAdd(double[] dy, int[] ids, double[] dTable)
    {
        double[] sum = [.. dTable];
        int width = dy.Length / ids.Length;
        for (int token = 0; token < ids.Length; token++)
        {
            for (int i = 0; i < width; i++)
            {
                sum[(ids[token] * width) + i] += dy[(token * width) + i];
            }
        }

        return sum;
    }
}
