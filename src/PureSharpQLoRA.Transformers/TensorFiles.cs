using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>Moves tensors of fp32, or of bytes, between a device and safetensors files, a bounded piece at a time.</summary>
public static class TensorFiles
{
    private const int PieceElements = 1 << 20;

    /// <summary>The declaration of a tensor for a file.</summary>
    /// <param name="name">Its name there.</param>
    /// <param name="tensor">Gives the extents.</param>
    /// <param name="type">How it will be stored: F32, F16 or BF16; U8 for bytes.</param>
    public static SafetensorsDeclaration Declare(string name, Tensor tensor, SafetensorsType type = SafetensorsType.Float32)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var extents = new long[tensor.Shape.Rank];
        for (int i = 0; i < extents.Length; i++)
        {
            extents[i] = tensor.Shape[i];
        }

        return new SafetensorsDeclaration(name, type, extents);
    }

    /// <summary>Writes an fp32 tensor under its declared name, converted to the declared type; bytes as they are.</summary>
    public static void Write(SafetensorsWriter writer, string name, Tensor tensor, IBackend backend, SafetensorsType type = SafetensorsType.Float32)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(backend);
        if (tensor.DataType == DataType.UInt8)
        {
            var bytes = new byte[tensor.Bytes];
            backend.Download(tensor, bytes);
            writer.Write(name, bytes);
            return;
        }

        using var views = new TensorScope(backend.Memory, MemoryPurpose.Workspace);
        int rowsPerPiece = Math.Max(1, PieceElements / Math.Max(1, tensor.Shape.Columns));
        var values = new float[Math.Min(rowsPerPiece, tensor.Shape.Rows) * tensor.Shape.Columns];
        var halves = new ushort[type == SafetensorsType.Float32 ? 0 : values.Length];
        for (int row = 0; row < tensor.Shape.Rows; row += rowsPerPiece)
        {
            int rows = Math.Min(rowsPerPiece, tensor.Shape.Rows - row);
            Span<float> piece = values.AsSpan(0, rows * tensor.Shape.Columns);
            backend.Download(views.Rows(tensor, row, rows), piece);
            switch (type)
            {
                case SafetensorsType.Float32:
                    writer.Write(name, piece);
                    break;
                case SafetensorsType.BFloat16:
                    HalfPrecisionConvert.ToBFloat16(piece, halves);
                    writer.Write(name, MemoryMarshal.AsBytes(halves.AsSpan(0, piece.Length)));
                    break;
                case SafetensorsType.Float16:
                    HalfPrecisionConvert.ToFloat16(piece, halves);
                    writer.Write(name, MemoryMarshal.AsBytes(halves.AsSpan(0, piece.Length)));
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "Trained weights are stored as F32, F16 or BF16.");
            }

            views.Reset();
        }
    }

    /// <summary>Reads a tensor of any floating-point type into an fp32 tensor of the same extents; bytes into one of bytes.</summary>
    /// <exception cref="WeightFormatException">The file has no such tensor, or one of another shape.</exception>
    public static void Read(SafetensorsFile file, string name, Tensor tensor, IBackend backend)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(backend);
        Read(file, file.Find(name), tensor, backend);
    }

    /// <summary>Reads a stored tensor into an fp32 tensor of the same extents; bytes into one of bytes.</summary>
    internal static void Read(IWeightFile file, SafetensorsEntry entry, Tensor tensor, IBackend backend)
    {
        RequireShape(file.Path, entry, tensor.Shape);
        if (tensor.DataType == DataType.UInt8)
        {
            if (entry.Type != SafetensorsType.UInt8)
            {
                throw new WeightFormatException(file.Path, $"has the type {entry.Type.HeaderName()}, but U8 is needed", entry.Name);
            }

            var bytes = new byte[entry.Bytes];
            file.ReadBytes(entry, 0, bytes);
            backend.Upload(bytes, tensor);
            return;
        }

        using var views = new TensorScope(backend.Memory, MemoryPurpose.Workspace);
        int rowsPerPiece = Math.Max(1, PieceElements / Math.Max(1, tensor.Shape.Columns));
        var values = new float[Math.Min(rowsPerPiece, tensor.Shape.Rows) * tensor.Shape.Columns];
        for (int row = 0; row < tensor.Shape.Rows; row += rowsPerPiece)
        {
            int rows = Math.Min(rowsPerPiece, tensor.Shape.Rows - row);
            Span<float> piece = values.AsSpan(0, rows * tensor.Shape.Columns);
            file.ReadFloats(entry, (long)row * tensor.Shape.Columns, piece);
            backend.Upload(piece, views.Rows(tensor, row, rows));
            views.Reset();
        }
    }

    /// <summary>Throws unless a stored tensor has the given extents.</summary>
    internal static void RequireShape(string file, SafetensorsEntry entry, Shape shape)
    {
        bool same = entry.Shape.Count == shape.Rank;
        for (int i = 0; same && i < shape.Rank; i++)
        {
            same = entry.Shape[i] == shape[i];
        }

        if (!same)
        {
            throw new WeightFormatException(file, $"has the shape [{string.Join(", ", entry.Shape)}], but the model needs {shape}", entry.Name);
        }
    }
}
