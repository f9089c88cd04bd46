using System.Numerics;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>What an adapter does to one weight. Thread-safe.</summary>
internal sealed class ModuleUpdate
{
    private readonly PeftModule _module;
    private readonly float[] _a;
    private readonly float[] _b;
    private readonly float[]? _magnitude;
    private readonly float _scale;

    public ModuleUpdate(PeftAdapterFile adapter, PeftModule module)
    {
        _module = module;
        _scale = (float)adapter.Config.ScaleOf(module.Path);
        _a = new float[module.Rank * module.Inputs];
        _b = new float[module.Outputs * module.Rank];
        adapter.ReadA(module, _a);
        adapter.ReadB(module, _b);
        if (module.Magnitude is not null)
        {
            _magnitude = new float[module.Outputs];
            adapter.ReadMagnitude(module, _magnitude);
        }
    }

    /// <summary>Turns a row of the base's weight into one of the merged weight.</summary>
    public void Apply(int row, Span<float> values)
    {
        for (int k = 0; k < _module.Rank; k++)
        {
            AddScaled(_scale * _b[(row * _module.Rank) + k], _a.AsSpan(k * _module.Inputs, _module.Inputs), values);
        }

        if (_magnitude is not null)
        {
            double squares = 0;
            foreach (float value in values)
            {
                squares += (double)value * value;
            }

            float factor = (float)(_magnitude[row] / Math.Sqrt(squares));
            for (int i = 0; i < values.Length; i++)
            {
                values[i] *= factor;
            }
        }
    }

    private static void AddScaled(float factor, ReadOnlySpan<float> from, Span<float> to)
    {
        int i = 0;
        for (; i <= to.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (new Vector<float>(to[i..]) + (new Vector<float>(factor) * new Vector<float>(from[i..]))).CopyTo(to[i..]);
        }

        for (; i < to.Length; i++)
        {
            to[i] += factor * from[i];
        }
    }
}
