using System.Globalization;
using PureSharpQLoRA.KernelBench;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
double seconds = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 1;
switch (args.Length > 0 ? args[0] : "")
{
    case "attention":
        AttentionBench.Run(seconds);
        return 0;
    default:
        Console.Error.WriteLine("usage: dotnet run -c Release --project perf/KernelBench -- attention [seconds per case]");
        return 2;
}
