namespace PureSharpQLoRA.Core.Tests;

public sealed class ShapeTests
{
    [Fact]
    public void Extents_count_and_rows()
    {
        var shape = new Shape(2, 3, 5);
        Assert.Equal((3, 30L, 5, 6), (shape.Rank, shape.Count, shape.Columns, shape.Rows));
        Assert.Equal((2, 3, 5), (shape[0], shape[1], shape[2]));
        Assert.Equal((1, 7L, 7, 1), (new Shape(7).Rank, new Shape(7).Count, new Shape(7).Columns, new Shape(7).Rows));
        Assert.Equal((0L, 0), (default(Shape).Count, default(Shape).Rows));
        Assert.Equal(0, new Shape(4, 0).Rows);
        Assert.Equal(int.MaxValue * 4L, new Shape(4, int.MaxValue).Count);
    }

    [Fact]
    public void Equality_knows_the_number_of_dimensions()
    {
        Assert.True(new Shape(2, 3) == new Shape(2, 3));
        Assert.True(new Shape(1, 3) != new Shape(3));
        Assert.True(new Shape(3, 1) != new Shape(3));
        Assert.False(new Shape(2, 3).Equals((object)"[2, 3]"));
        Assert.Equal(new Shape(2, 3).GetHashCode(), new Shape(2, 3).GetHashCode());
    }

    [Fact]
    public void Text_is_the_extents_in_brackets() =>
        Assert.Equal("[] [4] [4, 2048] [1, 2, 3]", $"{default(Shape)} {new Shape(4)} {new Shape(4, 2048)} {new Shape(1, 2, 3)}");

    [Fact]
    public void Bad_extents_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(2, -3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(2, 3)[2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Shape(2, 3)[-1]);
    }
}
