using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Generators.Tests;

public class EmittedCodeTests
{
    public static TheoryData<string> Models => [.. Configs.Models];

    [Theory]
    [MemberData(nameof(Models))]
    public void Code_is_what_the_golden_files_say(string model)
    {
        EmittedSources result = Configs.Emit(model);

        Assert.Empty(result.Diagnostics);
        Assert.Equal(3, result.Files.Count);
        foreach (EmittedSource file in result.Files)
        {
            string name = file.HintName.Replace("My.Models.", "", StringComparison.Ordinal).Replace(".g.cs", ".cs", StringComparison.Ordinal);
            Golden.Match(file.Text, Path.Combine(Path.GetDirectoryName(Configs.PathOf(model))!, name));
        }
    }

    [Theory]
    [InlineData("TinyLlama-1.1B-Chat-v1.0", "TinyLlama1_1BChatV1_0")]
    [InlineData("model", "Model")]
    [InlineData("llama_3.1", "Llama3_1")]
    [InlineData("7b", "Model7b")]
    [InlineData("...", "Model")]
    [InlineData("head", "HeadModel")]
    [InlineData("class", "Class")]
    public void Class_name_comes_from_the_folder(string folder, string expected) => Assert.Equal(expected, TypeNames.FromFolder(folder));

    [Theory]
    [InlineData(1e-5, "1e-5f")]
    [InlineData(1e-6, "1e-6f")]
    [InlineData(10000, "10000f")]
    [InlineData(1e7, "10000000f")]
    [InlineData(0.1, "0.1f")]
    [InlineData(1.138629436111989, "1.1386294f")]
    [InlineData(0.000123, "0.000123f")]
    [InlineData(1.25e-7, "1.25e-7f")]
    [InlineData(1e30, "1e30f")]
    public void Float_literals_are_short(double value, string expected) => Assert.Equal(expected, Literal.Float(value));
}
