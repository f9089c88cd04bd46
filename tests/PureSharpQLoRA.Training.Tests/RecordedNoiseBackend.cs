using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Adds the noise that the reference run drew, step by step, in place of our own.</summary>
internal sealed class RecordedNoiseBackend(IBackend inner, string path) : DelegatingBackend(inner)
{
    private int _step;

    public override void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        SafetensorsEntry entry = file.Find($"noise.{_step++}");
        var noise = new float[entry.Count];
        file.ReadFloats(entry, 0, noise);

        // Our own noise would have had this amplitude: the recorded one must use it fully and never exceed it.
        Assert.InRange(noise.Max(MathF.Abs), 0.99f * amplitude, amplitude);
        float[] values = this.ToArray(x);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] += noise[i];
        }

        this.Upload(values, x);
    }
}
