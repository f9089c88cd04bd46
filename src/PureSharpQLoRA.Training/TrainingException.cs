namespace PureSharpQLoRA.Training;

/// <summary>A run cannot begin or go on; the message says why and what to do.</summary>
public sealed class TrainingException : Exception
{
    /// <summary>With a message for the user.</summary>
    public TrainingException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the user and what lies behind it.</summary>
    public TrainingException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
