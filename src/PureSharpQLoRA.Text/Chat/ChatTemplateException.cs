namespace PureSharpQLoRA.Text;

/// <summary>A conversation that is malformed, that a model has no template for, or whose learnt part a template hides.</summary>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="inner">The cause, if any.</param>
public sealed class ChatTemplateException(string message, Exception? inner = null) : Exception(message, inner);
