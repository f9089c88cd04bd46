using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

public class BytePairTrainerTests
{
    internal static BytePairTrainerOptions Options { get; } = new()
    {
        VocabularySize = 400,
        BosToken = "<|begin|>",
        PadToken = "<|pad|>",
        AdditionalSpecialTokens = ["<|user|>"],
    };

    [Fact]
    public void Merges_are_those_of_counting_afresh_each_time()
    {
        string[] words = ["aaaa", "aab", "abab", "ab ab", "baaab", "banana band", "bandana", "aaaaaaa"];
        TrainedVocabulary trained = BytePairTrainer.Train(words, new BytePairTrainerOptions { VocabularySize = 257 + 40, SplitDigits = false, MinimumFrequency = 2 });
        Assert.Equal(CountAfresh(words, 40), trained.Merges);
    }

    [Fact]
    public void The_order_of_texts_does_not_matter()
    {
        string[] documents = ByteLevelTests.Documents();
        TrainedVocabulary forwards = BytePairTrainer.Train(documents, Options);
        TrainedVocabulary backwards = BytePairTrainer.Train(documents.Reverse(), Options);
        Assert.Equal(forwards.Tokens, backwards.Tokens);
        Assert.Equal(forwards.Merges, backwards.Merges);
    }

    [Fact]
    public void Special_tokens_come_first_and_are_not_learnt_from_text()
    {
        TrainedVocabulary trained = BytePairTrainer.Train(["x<|pad|>x<|pad|>x<|pad|>"], Options);
        Assert.Equal(["<|begin|>", "<|endoftext|>", "<|pad|>", "<|user|>"], trained.Tokens.Take(4));
        Assert.Empty(trained.Merges);
    }

    [Fact]
    public void Trained_files_load_with_their_special_tokens()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        BytePairTrainer.Train(ByteLevelTests.Documents(), Options).Save(folder.Path);
        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal((400, 0, 1, 2), (tokenizer.VocabularySize, tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        int[] ids = tokenizer.Encode("<|user|>The cat 128");
        Assert.Equal([0, 3], ids[..2]);
        Assert.Equal(["1", "2", "8"], ids[^3..].Select(tokenizer.TokenText));
    }

    [Fact]
    public void Without_a_beginning_token_none_is_put()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        BytePairTrainer.Train(["abc abc"], new BytePairTrainerOptions { VocabularySize = 300 }).Save(folder.Path);
        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        Assert.Null(tokenizer.BosId);
        Assert.Equal("abc", tokenizer.TokenText(Assert.Single(tokenizer.Encode("abc"))));
    }

    [Fact]
    public void A_vocabulary_that_cannot_hold_the_bytes_is_refused()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => BytePairTrainer.Train(["a"], new BytePairTrainerOptions { VocabularySize = 256 }));
        Assert.Contains("at least 257", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The textbook algorithm on words without spaces inside: after each merge, count all pairs again.</summary>
    private static List<(string, string)> CountAfresh(string[] texts, int merges)
    {
        var words = texts.SelectMany(text => text.Replace(" ", "\n ", StringComparison.Ordinal).Split('\n'))
            .Select(word => word.Replace(' ', 'Ġ').Select(letter => letter.ToString()).ToList()).ToList();
        string alphabet = string.Concat(Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToChar((byte)value)));
        List<string> tokens = [.. alphabet.Select(letter => letter.ToString())];
        var learnt = new List<(string, string)>();
        while (learnt.Count < merges)
        {
            var counts = new Dictionary<(string Left, string Right), int>();
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
                }
            }

            var frequent = counts.Where(pair => pair.Value >= 2).OrderByDescending(pair => pair.Value)
                .ThenBy(pair => tokens.IndexOf(pair.Key.Left)).ThenBy(pair => tokens.IndexOf(pair.Key.Right)).ToList();
            if (frequent.Count == 0)
            {
                break;
            }

            (string left, string right) = frequent[0].Key;
            learnt.Add((left, right));
            tokens.Add(left + right);
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == left && word[i + 1] == right)
                    {
                        word[i] = left + right;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return learnt;
    }
}
