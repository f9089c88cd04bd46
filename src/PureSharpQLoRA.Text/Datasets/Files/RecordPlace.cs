namespace PureSharpQLoRA.Text;

/// <summary>Where a record stands: a line of a file, or an element of its array.</summary>
internal readonly record struct RecordPlace(string File, int? Line, int? Number)
{
    public DatasetException Error(string reason, Exception? inner = null) => new(File, Line, Number, reason, inner);
}
