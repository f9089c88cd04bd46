namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The names of tensors in a PEFT adapter.</summary>
internal static class PeftKeys
{
    public const string Prefix = "base_model.model.";

    public const string ASuffix = ".lora_A.weight";

    public const string BSuffix = ".lora_B.weight";

    public const string MagnitudeSuffix = ".lora_magnitude_vector";

    public static string A(string path) => Prefix + path + ASuffix;

    public static string B(string path) => Prefix + path + BSuffix;

    public static string Magnitude(string path) => Prefix + path + MagnitudeSuffix;
}
