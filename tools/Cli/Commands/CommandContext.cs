using System.Text.Json;
using PureSharpQLoRA.Cli.Options;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>What a running command has.</summary>
/// <param name="Host">Where it reads and writes.</param>
/// <param name="Values">Its options.</param>
internal sealed record CommandContext(CliHost Host, OptionValues Values)
{
    private static readonly JsonWriterOptions Json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public bool IsJson => Values.YesNo(CommonOptions.Json);

    /// <summary>Text for people: nowhere where the result is JSON.</summary>
    public TextWriter Output => IsJson ? TextWriter.Null : Host.Output;

    /// <summary>Writes one JSON object as the command's result.</summary>
    public void WriteJson(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Json))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        Host.Output.WriteLine(System.Text.Encoding.UTF8.GetString(stream.ToArray()));
    }

    /// <summary>A remark that is no result.</summary>
    public void Warn(string message) => Host.Error.WriteLine("warning: " + message);
}
