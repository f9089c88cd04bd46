namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The names under which bitsandbytes stores the parts of a 4-bit weight.</summary>
internal static class Bnb4BitKeys
{
    public static string Absmax(string weight) => weight + ".absmax";

    public static string QuantMap(string weight) => weight + ".quant_map";

    public static string NestedAbsmax(string weight) => weight + ".nested_absmax";

    public static string NestedQuantMap(string weight) => weight + ".nested_quant_map";

    public static string QuantStateNf4(string weight) => weight + ".quant_state.bitsandbytes__nf4";

    public static string QuantStateFp4(string weight) => weight + ".quant_state.bitsandbytes__fp4";
}
