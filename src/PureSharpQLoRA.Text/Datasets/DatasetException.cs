namespace PureSharpQLoRA.Text;

/// <summary>A data set that cannot be read: the file, where in it, what is wrong and what would be right.</summary>
public sealed class DatasetException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="file">The file at fault.</param>
    /// <param name="line">The line at fault, from 1, where the file is read by lines.</param>
    /// <param name="record">The record at fault, from 1, where the file is one JSON array.</param>
    /// <param name="reason">What is wrong, and what would be right.</param>
    /// <param name="inner">The cause, if any.</param>
    public DatasetException(string file, int? line, int? record, string reason, Exception? inner = null)
        : base($"{file}{(line is null ? "" : $":{line}")}{(record is null ? "" : $", record {record}")}: {reason}", inner) =>
        (File, Line, Record) = (file, line, record);

    /// <summary>The file at fault.</summary>
    public string File { get; }

    /// <summary>The line at fault, from 1, where the file is read by lines.</summary>
    public int? Line { get; }

    /// <summary>The record at fault, from 1, where the file is one JSON array.</summary>
    public int? Record { get; }
}
