namespace PureSharpQLoRA.Text;

/// <summary>A tokenizer file that is missing, malformed, or asks for a component this library does not have.</summary>
public sealed class TokenizerFormatException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="file">The file at fault.</param>
    /// <param name="reason">What is wrong, where in the file, and what would be right.</param>
    /// <param name="inner">The cause, if any.</param>
    public TokenizerFormatException(string file, string reason, Exception? inner = null)
        : base($"{file}: {reason}", inner) => File = file;

    /// <summary>The file at fault.</summary>
    public string File { get; }
}
