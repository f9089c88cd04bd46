namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>The gated activation silu(gate) * up (Shazeer 2020, arXiv:2002.05202), in double.</summary>
public static class ReferenceSwiGlu
{
    /// <summary>silu(gate) * up.</summary>
    public static double[] Forward(double[] gate, double[] up) => [.. gate.Zip(up, (g, u) => g * Sigmoid(g) * u)];

    /// <summary>The gradients for gate and up, given dy.</summary>
    public static (double[] Gate, double[] Up) Backward(double[] gate, double[] up, double[] dy)
    {
        double[] dGate = new double[gate.Length], dUp = new double[gate.Length];
        for (int i = 0; i < gate.Length; i++)
        {
            double sigmoid = Sigmoid(gate[i]);
            dGate[i] = dy[i] * up[i] * (sigmoid + (gate[i] * sigmoid * (1 - sigmoid)));
            dUp[i] = dy[i] * gate[i] * sigmoid;
        }

        return (dGate, dUp);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
