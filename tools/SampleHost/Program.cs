using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.SampleHost;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

// Fine-tunes the demo's model with QLoRA through its typed layers: dotnet run -c Release --project tools/SampleHost [output folder]
string demo = Path.Combine(AppContext.BaseDirectory, "Demo"), folder = Path.Combine(demo, "model");
string output = args.Length > 0 ? args[0] : Path.Combine("results", "sample-host");
Console.WriteLine(StoryTellerMemoryPlan.Table);

using var backend = new CpuBackend();
using var model = ModelLoader.Load(folder, backend, new LoadOptions { LoadIn4Bit = true }, scope => new StoryTeller(scope));
model.Adapters.Add("pirate", new LoraOptions { Rank = 16, Alpha = 32 }, seed: 42);

Tokenizer tokenizer = Tokenizer.Load(folder);
var reading = new DatasetOptions { MaxLength = 256, VocabularySize = model.Sizes.VocabularySize };
Dataset data = DatasetReader.Read([Path.Combine(demo, "data", "style-train.jsonl")], tokenizer, reading);
Dataset heldOut = DatasetReader.Read([Path.Combine(demo, "data", "style-heldout.jsonl")], tokenizer, reading);
var options = new TrainingOptions { OutputDirectory = output, MaxSteps = 100, EvalSteps = 50, LearningRate = 4e-3, SaveSteps = 0 };
using var trainer = new Trainer(model, data, options, heldOut: heldOut.Examples, observers: new ConsoleProgress());
TrainingResult result = trainer.Run();
trainer.SaveResult();
Console.WriteLine($"{result.Steps} steps, held-out perplexity {result.Evaluation?.Perplexity:0.00}; the adapter is in {Path.GetFullPath(output)}");

internal sealed class ConsoleProgress : ITrainingObserver
{
    public void OnLogged(in LoggedMetrics metrics) => Console.WriteLine($"step {metrics.Step,4}  loss {metrics.Loss:0.0000}  {metrics.TokensPerSecond:#,##0} tokens/s");

    public void OnEvaluated(int step, double epoch, EvaluationResult result) => Console.WriteLine($"step {step,4}  held-out loss {result.Loss:0.0000}");
}
