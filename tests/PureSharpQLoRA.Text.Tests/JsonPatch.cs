using System.Text.Json.Nodes;

namespace PureSharpQLoRA.Text.Tests;

internal static class JsonPatch
{
    /// <summary>Objects are merged field by field; anything else replaces what was there.</summary>
    public static void Apply(JsonObject target, JsonObject patch)
    {
        foreach ((string name, JsonNode? value) in patch)
        {
            if (value is JsonObject inner && target[name] is JsonObject old && !inner.ContainsKey("type"))
            {
                Apply(old, inner);
            }
            else
            {
                target[name] = value?.DeepClone();
            }
        }
    }
}
