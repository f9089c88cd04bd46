using System.Globalization;

namespace PureSharpQLoRA.Core;

/// <summary>The extents of a tensor, outermost first; one to three dimensions.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int _d0;
    private readonly int _d1;
    private readonly int _d2;

    /// <summary>A vector of <paramref name="length"/> elements.</summary>
    public Shape(int length)
        : this(1, length, 1, 1)
    {
    }

    /// <summary>A matrix [<paramref name="rows"/>, <paramref name="columns"/>].</summary>
    public Shape(int rows, int columns)
        : this(2, rows, columns, 1)
    {
    }

    /// <summary>A block of matrices [<paramref name="depth"/>, <paramref name="rows"/>, <paramref name="columns"/>].</summary>
    public Shape(int depth, int rows, int columns)
        : this(3, depth, rows, columns)
    {
    }

    private Shape(int rank, int d0, int d1, int d2)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(d0);
        ArgumentOutOfRangeException.ThrowIfNegative(d1);
        ArgumentOutOfRangeException.ThrowIfNegative(d2);
        Rank = rank;
        (_d0, _d1, _d2) = (d0, d1, d2);
    }

    /// <summary>The number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>The number of elements.</summary>
    public long Count => Rank == 0 ? 0 : (long)_d0 * _d1 * _d2;

    /// <summary>The last extent: the width of a row.</summary>
    public int Columns => Rank == 0 ? 0 : this[Rank - 1];

    /// <summary>How many rows of <see cref="Columns"/> elements there are, all outer dimensions taken together.</summary>
    public int Rows => Columns == 0 ? 0 : checked((int)(Count / Columns));

    /// <summary>The extent of dimension <paramref name="index"/>, 0 being the outermost.</summary>
    public int this[int index] => (uint)index < (uint)Rank
        ? index switch { 0 => _d0, 1 => _d1, _ => _d2 }
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"The shape has {Rank} dimensions.");

    /// <summary>Whether both shapes have the same extents.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether the shapes differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(Shape other) => Rank == other.Rank && _d0 == other._d0 && _d1 == other._d1 && _d2 == other._d2;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, _d0, _d1, _d2);

    /// <summary>For example "[64, 2048]".</summary>
    public override string ToString() => Rank switch
    {
        0 => "[]",
        1 => string.Create(CultureInfo.InvariantCulture, $"[{_d0}]"),
        2 => string.Create(CultureInfo.InvariantCulture, $"[{_d0}, {_d1}]"),
        _ => string.Create(CultureInfo.InvariantCulture, $"[{_d0}, {_d1}, {_d2}]"),
    };
}
