using System.Text;
using BenchmarkDotNet.Attributes;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Benchmarks;

/// <summary>Tokenising and batching on one thread.</summary>
[MemoryDiagnoser]
public class TokenizerBenchmarks
{
    private const int Sentences = 2_000;

    private readonly List<int> _ids = [];
    private string _folder = "";
    private string _text = "";
    private Tokenizer _tokenizer = null!;
    private BatchPlanner _planner = null!;
    private readonly Batch _batch = new();
    private long _microBatch;

    [GlobalSetup]
    public void Prepare()
    {
        string[] words = ["the", "little", "robot", "walked", "slowly", "over", "an", "old", "bridge", "and", "found", "three", "golden", "keys", "42"];
        var text = new StringBuilder();
        for (int i = 0; i < Sentences; i++)
        {
            for (int word = 0; word < 12; word++)
            {
                text.Append(words[(i * 7 + word * 5 + i / 3) % words.Length]).Append(word == 11 ? ". " : " ");
            }
        }

        _text = text.ToString();
        _folder = Directory.CreateTempSubdirectory("puresharp-benchmark-").FullName;
        BytePairTrainer.Train([_text], new BytePairTrainerOptions { VocabularySize = 300 }).Save(_folder);
        _tokenizer = Tokenizer.Load(_folder);
        Example[] examples = [.. Enumerable.Range(0, 1024).Select(_ => new Example(new int[200], new int[200]))];
        _planner = new BatchPlanner(new Dataset(examples, new DatasetStatistics(1024, 1024 * 200, 0, 200, 0, 0, 0, 0)), new BatchOptions());
    }

    [GlobalCleanup]
    public void Delete() => Directory.Delete(_folder, recursive: true);

    [Benchmark]
    public int Encode()
    {
        _ids.Clear();
        _tokenizer.Encode(_text, _ids, addSpecialTokens: true);
        return _ids.Count;
    }

    [Benchmark]
    public int FillBatch()
    {
        _planner.Fill(_microBatch++ % _planner.MicroBatchesPerEpoch, _batch);
        return _batch.Tokens;
    }
}
