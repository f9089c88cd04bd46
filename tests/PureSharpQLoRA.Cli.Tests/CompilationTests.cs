using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class CompilationTests
{
    [Fact]
    public void A_model_is_compiled_once()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        ModelBlueprint model = Blueprint(folder);
        var compiler = new ModelCompiler(new CompilationCache(folder.File("cache")));

        using CompiledModel first = compiler.Compile(model);
        using CompiledModel second = compiler.Compile(model);

        Assert.False(first.FromCache);
        Assert.True(second.FromCache);
    }

    [Fact]
    public void A_changed_config_is_compiled_again()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        var compiler = new ModelCompiler(new CompilationCache(folder.File("cache")));
        using CompiledModel first = compiler.Compile(Blueprint(folder));
        File.WriteAllText(folder.File("config.json"), Configs.Tiny.Replace("64", "96", StringComparison.Ordinal));

        using CompiledModel second = compiler.Compile(ModelBlueprint.Read(folder.Path));

        Assert.False(second.FromCache);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(2000)]
    public void A_damaged_entry_is_written_again(int keptBytes)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        ModelBlueprint model = Blueprint(folder);
        var compiler = new ModelCompiler(new CompilationCache(folder.File("cache")));
        compiler.Compile(model).Dispose();
        string entry = Directory.EnumerateFiles(folder.File("cache")).Single();
        byte[] good = File.ReadAllBytes(entry);
        File.WriteAllBytes(entry, good[..keptBytes]);

        using CompiledModel again = compiler.Compile(model);

        Assert.False(again.FromCache);
        Assert.Equal(good, File.ReadAllBytes(entry));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_no_error()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllText(folder.File("cache"), "a file where the folder should be");

        using CompiledModel model = new ModelCompiler(new CompilationCache(folder.File("cache"))).Compile(Blueprint(folder));

        Assert.False(model.FromCache);
    }

    private static ModelBlueprint Blueprint(TemporaryFolder folder)
    {
        File.WriteAllText(folder.File("config.json"), Configs.Tiny);
        return ModelBlueprint.Read(folder.Path);
    }
}
