using PureSharpQLoRA.Cli.Options;
using YamlDotNet.RepresentationModel;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>How the base was kept while an adapter was trained: its run.yaml says so.</summary>
/// <param name="LoadIn4Bit">Whether in NF4.</param>
/// <param name="DoubleQuantization">Whether with double quantisation.</param>
internal sealed record AdapterOrigin(bool LoadIn4Bit, bool DoubleQuantization)
{
    /// <summary>Looks beside an adapter, and beside the checkpoint folder it is in; a base in 16 bits where nothing is known.</summary>
    public static AdapterOrigin Find(string? adapter)
    {
        if (adapter is null)
        {
            return new AdapterOrigin(false, false);
        }

        string full = Path.GetFullPath(adapter);
        string? file = new[] { full, Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(full)) ?? full }
            .Select(folder => Path.Combine(folder, RunFolder.SettingsFile)).FirstOrDefault(File.Exists);
        if (file is null)
        {
            return new AdapterOrigin(false, false);
        }

        var stream = new YamlStream();
        using (var reader = new StreamReader(file))
        {
            stream.Load(reader);
        }

        var root = stream.Documents.Count == 0 ? null : stream.Documents[0].RootNode as YamlMappingNode;
        return new AdapterOrigin(IsTrue(root, CommonOptions.LoadIn4Bit), IsTrue(root, CommonOptions.DoubleQuantization));
    }

    private static bool IsTrue(YamlMappingNode? root, string option) =>
        root is not null && root.Children.TryGetValue(new YamlScalarNode(option.Replace('-', '_')), out YamlNode? value) && value is YamlScalarNode { Value: "true" };
}
