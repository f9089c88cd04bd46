namespace PureSharpQLoRA.Transformers;

/// <summary>A part of a model that holds weights.</summary>
public abstract class Module;
