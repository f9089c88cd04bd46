using PureSharpQLoRA.Cli;

using var interrupts = new ConsoleInterrupts();
return CommandLineApp.Run(args, CliHost.ForConsole(interrupts.Token));
