using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu;

/// <summary>
/// sums[n] (+)= sum over i of x[i, n], or of x[i, n] * y[i, n] / denominator[n]. Each member takes whole columns, so the order of a sum is fixed.
/// </summary>
internal sealed unsafe class ColumnSumWork : ParallelRange
{
    private const int ColumnsPerItem = 32;

    private float* _x;
    private float* _y;
    private float* _denominator;
    private float* _sums;
    private int _rows;
    private int _columns;
    private bool _accumulate;

    /// <param name="team">The threads.</param>
    /// <param name="x">[rows, columns].</param>
    /// <param name="y">[rows, columns] factors, or null.</param>
    /// <param name="denominator">[columns], or null.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="sums">[columns].</param>
    /// <param name="accumulate">Adds to what is in the sums.</param>
    public void Run(ThreadTeam team, float* x, float* y, float* denominator, int rows, int columns, float* sums, bool accumulate)
    {
        _x = x;
        _y = y;
        _denominator = denominator;
        _sums = sums;
        _rows = rows;
        _columns = columns;
        _accumulate = accumulate;
        int items = (columns + ColumnsPerItem - 1) / ColumnsPerItem;
        Start(team, items, 16384 / Math.Max(1, rows * ColumnsPerItem));
    }

    protected override void Execute(int first, int end, int member)
    {
        for (int column = first * ColumnsPerItem; column < Math.Min(_columns, end * ColumnsPerItem);)
        {
            if (Vector256.IsHardwareAccelerated && column + 32 <= _columns)
            {
                SumVectors(column);
                column += 32;
            }
            else
            {
                SumOne(column++);
            }
        }
    }

    private void SumVectors(int column)
    {
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        float* x = _x + column;
        float* y = _y + column;
        for (int row = 0; row < _rows; row++, x += _columns, y += _columns)
        {
            Vector256<float> x0 = Vector256.Load(x), x1 = Vector256.Load(x + 8), x2 = Vector256.Load(x + 16), x3 = Vector256.Load(x + 24);
            if (_y != null)
            {
                x0 *= Vector256.Load(y);
                x1 *= Vector256.Load(y + 8);
                x2 *= Vector256.Load(y + 16);
                x3 *= Vector256.Load(y + 24);
            }

            s0 += x0;
            s1 += x1;
            s2 += x2;
            s3 += x3;
        }

        Store(column, s0);
        Store(column + 8, s1);
        Store(column + 16, s2);
        Store(column + 24, s3);
    }

    private void Store(int column, Vector256<float> sum)
    {
        if (_denominator != null)
        {
            sum /= Vector256.Load(_denominator + column);
        }

        (_accumulate ? Vector256.Load(_sums + column) + sum : sum).Store(_sums + column);
    }

    private void SumOne(int column)
    {
        float sum = 0;
        for (int row = 0; row < _rows; row++)
        {
            nint at = (nint)row * _columns + column;
            sum += _y == null ? _x[at] : _x[at] * _y[at];
        }

        sum = _denominator == null ? sum : sum / _denominator[column];
        _sums[column] = _accumulate ? _sums[column] + sum : sum;
    }
}
