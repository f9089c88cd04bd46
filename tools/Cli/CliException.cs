namespace PureSharpQLoRA.Cli;

/// <summary>A command cannot go on; the message is one line for the user.</summary>
internal class CliException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The command line or a configuration file is wrong.</summary>
internal sealed class UsageException(string message) : CliException(message);
