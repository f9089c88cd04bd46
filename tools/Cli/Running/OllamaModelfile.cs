using System.Text;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>What Ollama builds a model from.</summary>
internal static class OllamaModelfile
{
    private const string Name = "Modelfile";

    /// <summary>For a whole model.</summary>
    /// <param name="file">The name of the GGUF file beside it.</param>
    /// <param name="chatTemplate">The model's Jinja template, or null.</param>
    public static string ForModel(string file, string? chatTemplate)
    {
        var text = new StringBuilder($"FROM ./{file}\n");
        if (chatTemplate is null)
        {
            // Without one, Ollama would wrap the prompt of a base model.
            text.Append("TEMPLATE \"\"\"{{ .Prompt }}\"\"\"\n");
        }
        else if (chatTemplate.Contains("<|im_start|>", StringComparison.Ordinal))
        {
            text.Append("TEMPLATE \"\"\"{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n\"\"\"\n");
            text.Append("PARAMETER stop \"<|im_end|>\"\n");
        }
        else if (chatTemplate.Contains("<|start_header_id|>", StringComparison.Ordinal))
        {
            text.Append("TEMPLATE \"\"\"{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n\"\"\"\n");
            text.Append("PARAMETER stop \"<|eot_id|>\"\n");
        }
        else
        {
            text.Append("# Ollama finds the template for known models by the chat template inside the GGUF file; write a TEMPLATE here for others.\n");
        }

        return text.ToString();
    }

    /// <summary>For an adapter.</summary>
    /// <param name="file">The name of the GGUF file beside it.</param>
    /// <param name="baseModel">The folder of its base.</param>
    public static string ForAdapter(string file, string baseModel) =>
        $"# The base may also be a GGUF file of it, or a model of Ollama with the same weights.\nFROM {Path.GetFullPath(baseModel)}\nADAPTER ./{file}\n";

    /// <summary>Writes it beside a GGUF file: as Modelfile, or where there is one already as NAME.Modelfile.</summary>
    /// <returns>Its path.</returns>
    public static string Write(string ggufFile, string text)
    {
        string folder = Path.GetDirectoryName(ggufFile) ?? "", path = Path.Combine(folder, Name);
        if (File.Exists(path))
        {
            path = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(ggufFile)}.{Name}");
        }

        AtomicFile.WriteText(path, text);
        return path;
    }
}
