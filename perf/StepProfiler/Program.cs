using System.CommandLine;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.StepProfiler;

var shape = new Option<string>("--shape") { Description = "15m, 135m, 1.1b or 8b", DefaultValueFactory = _ => "15m" };
shape.AcceptOnlyFromAmong([.. ModelShape.All.Select(known => known.Name)]);
var device = new Option<string>("--device") { Description = "cpu or cuda", DefaultValueFactory = _ => "cpu" };
device.AcceptOnlyFromAmong("cpu", "cuda");
var compute = new Option<string?>("--compute") { Description = "fp32 or bf16 products on the CPU (default fp32); fp32, fp16 or bf16 activations on a card (default: the best it has)" };
compute.AcceptOnlyFromAmong("fp32", "fp16", "bf16");
var threads = new Option<int>("--threads") { Description = "threads, 0 for one per processor" };
var steps = new Option<int>("--steps") { Description = "steps measured, after one that warms up", DefaultValueFactory = _ => 5 };
var rank = new Option<int>("--rank") { Description = "rank of the adapters", DefaultValueFactory = _ => 16 };
var checkpointing = new Option<bool>("--checkpointing") { Description = "gradient checkpointing" };
var model = new Option<string?>("--model") { Description = "a folder with weights of the shape; by default random ones are made and deleted" };
var root = new RootCommand("Measures a QLoRA training step: time, arithmetic and share of every operation, tokens/s, peak memory.")
{
    shape, device, compute, threads, steps, rank, checkpointing, model,
};
root.SetAction(parsed =>
{
    try
    {
        StepReport.Run(
            ModelShape.All.Single(known => known.Name == parsed.GetValue(shape)),
            new StepSettings(
                parsed.GetValue(device) == "cuda", parsed.GetValue(compute), parsed.GetValue(threads), parsed.GetValue(steps), parsed.GetValue(rank), parsed.GetValue(checkpointing), parsed.GetValue(model)),
            Console.Out);
        return 0;
    }
    catch (Exception e) when (e is NotSupportedException or DeviceMemoryException)
    {
        Console.Error.WriteLine($"error: {e.Message}");
        return 1;
    }
});
return root.Parse(args).Invoke();
