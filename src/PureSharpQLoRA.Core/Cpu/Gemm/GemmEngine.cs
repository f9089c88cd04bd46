namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The matrix products of the CPU backend: y (+)= scale * x·W (+ low·factor) with W as it is stored, dense or NF4. Keeps the packed forms of the
/// two operands used last. Issued from one thread; the work is shared by the team.
/// </summary>
internal sealed class GemmEngine : IDisposable
{
    private const int NarrowRatio = 4;

    /// <summary>A reduction over a vocabulary: its left operand is too large for the caches and has no second use.</summary>
    private const int StreamedReduction = 8192;

    private readonly ThreadTeam _team;
    private readonly TileKernel _kernel;
    private readonly LeftOperand[] _recent;
    private readonly LeftOperand _low;
    private readonly LeftOperand _transposed;
    private readonly LeftOperand _streamed;
    private readonly ProductWork _product;
    private readonly MatrixVectorWork _vector;
    private long _clock;

    /// <param name="team">The threads.</param>
    /// <param name="memory">Where packed operands live.</param>
    /// <param name="bf16">Multiplies in bf16 if the processor can.</param>
    public GemmEngine(ThreadTeam team, MemoryPool memory, bool bf16)
    {
        _team = team;
        _kernel = bf16 && TileKernelBf16.IsSupported ? new TileKernelBf16() : new TileKernelFp32();
        _recent = [new LeftOperand(memory, IsBf16), new LeftOperand(memory, IsBf16)];
        _low = new LeftOperand(memory, IsBf16);
        _transposed = new LeftOperand(memory, IsBf16);
        _streamed = new LeftOperand(memory, IsBf16);
        _product = new ProductWork(team, memory, _kernel);
        _vector = new MatrixVectorWork(team, memory, IsBf16);
    }

    /// <summary>Whether operands are multiplied in bf16.</summary>
    public bool IsBf16 => _kernel.IsBf16;

    /// <summary>output (+)= scale * x·weight, or x·weightᵀ, (+ low·factor, or low·factorᵀ).</summary>
    public unsafe void Multiply(Tensor x, Tensor weight, bool transposed, float* output, float scale, bool accumulate, LowRankTerm? term)
    {
        var right = new RightOperand(weight, transposed);
        if (x.Shape.Rows == 1 && transposed)
        {
            _vector.Multiply(right, (float*)x.Address, output, scale, accumulate);
            if (term is { } added)
            {
                _vector.Multiply(new RightOperand(added.Factor, true), (float*)added.Low.Address, output, 1, true);
            }

            return;
        }

        _product.Begin(output, x.Shape.Rows, right.Outputs, accumulate);
        LeftOperand left = Left(x, transposed);
        if (term is not { } second)
        {
            _product.Add(left, right, scale);
        }
        else if (scale == 1 && left.HasRoomFor(second.Low.Shape.Columns))
        {
            left.PackTail(_team, second.Low);
            _product.Add(left, right, new RightOperand(second.Factor, transposed));
        }
        else
        {
            _product.Add(left, right, scale);
            if (!_low.Holds(second.Low, false))
            {
                _low.Pack(_team, second.Low, false);
            }

            _product.Add(_low, new RightOperand(second.Factor, transposed), 1);
        }

        _product.Run();
    }

    /// <summary>output (+)= aᵀ·b.</summary>
    public unsafe void MultiplyGradient(Tensor a, Tensor b, float* output, bool accumulate)
    {
        // Of a wide and a narrow operand (of an adapter's rank) the narrow one is packed whole, so the tiles may have to compute yᵀ = bᵀ·a.
        bool swapped = NarrowRatio * (long)b.Shape.Columns <= a.Shape.Columns;
        (Tensor left, Tensor right) = swapped ? (b, a) : (a, b);
        _product.Begin(output, left.Shape.Columns, right.Shape.Columns, accumulate, swapped);
        if (!_transposed.Holds(left, true))
        {
            _transposed.Pack(_team, left, true);
        }

        _product.Add(_transposed, new RightOperand(right, false), 1);
        _product.Run();
    }

    public void Dispose()
    {
        foreach (LeftOperand operand in _recent)
        {
            operand.Dispose();
        }

        _low.Dispose();
        _transposed.Dispose();
        _product.Dispose();
        _vector.Dispose();
        (_kernel as IDisposable)?.Dispose();
    }

    private LeftOperand Left(Tensor x, bool transposed)
    {
        if (transposed || x.Shape.Columns < StreamedReduction)
        {
            return Recent(x);
        }

        _streamed.Stream(x);
        return _streamed;
    }

    /// <summary>The packed form of x: a kept one, or one in the place of the operand that was not asked for longest.</summary>
    private LeftOperand Recent(Tensor x)
    {
        LeftOperand oldest = _recent[0];
        foreach (LeftOperand operand in _recent)
        {
            if (operand.Holds(x, false))
            {
                operand.LastUse = ++_clock;
                return operand;
            }

            oldest = operand.LastUse < oldest.LastUse ? operand : oldest;
        }

        oldest.Pack(_team, x, false);
        oldest.LastUse = ++_clock;
        return oldest;
    }
}
