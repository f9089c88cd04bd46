using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

public sealed class TensorScopeTests : IDisposable
{
    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 1 });

    public void Dispose() => LeakCheck.DisposeAndAssert(_backend);

    [Fact]
    public void Use_after_the_scope_ended_is_an_error_that_says_so()
    {
        var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor tensor = scope.Allocate(new Shape(4, 3));
        scope.Dispose();
        Assert.False(tensor.IsMaterialized);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => _backend.Fill(tensor, 1));
        Assert.Equal("The memory of the tensor [4, 3] was released, or taken over by the result of another operation.", error.Message);
    }

    [Fact]
    public void Memory_that_is_released_twice_goes_back_once()
    {
        var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        long before = _backend.Memory.BytesInUse;
        Tensor tensor = scope.Allocate(new Shape(1000));
        tensor.ReleaseMemory();
        tensor.ReleaseMemory();
        Assert.Equal(before, _backend.Memory.BytesInUse);
        scope.Dispose();
        scope.Dispose();
        Assert.Equal(before, _backend.Memory.BytesInUse);
    }

    [Fact]
    public void A_buffer_that_is_let_go_too_often_is_an_error()
    {
        DeviceBuffer buffer = _backend.Memory.Rent(100, MemoryPurpose.Activations);
        buffer.Release();
        Assert.Throws<InvalidOperationException>(buffer.Release);
    }

    [Fact]
    public void Rows_share_memory_and_keep_it()
    {
        using var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor whole = scope.Allocate(new Shape(2, 3, 4));
        _backend.Fill(whole, 1);
        Tensor rows = scope.Rows(whole, 2, 3);
        Assert.Equal(new Shape(3, 4), rows.Shape);
        _backend.Fill(rows, 2);
        Assert.Equal([.. Enumerable.Repeat(1f, 8), .. Enumerable.Repeat(2f, 12), .. Enumerable.Repeat(1f, 4)], _backend.ToArray(whole));
        whole.ReleaseMemory();
        Assert.Equal(Enumerable.Repeat(2f, 12), _backend.ToArray(rows));
        Assert.Throws<InvalidOperationException>(() => scope.Rows(whole, 0, 1));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 7)]
    [InlineData(6, 1)]
    [InlineData(0, -1)]
    [InlineData(int.MaxValue, int.MaxValue)]
    public void Rows_outside_a_tensor_are_refused(int first, int count)
    {
        using var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor whole = scope.Allocate(new Shape(6, 4));
        Assert.Throws<ShapeException>(() => scope.Rows(whole, first, count));
    }

    [Fact]
    public void A_reset_scope_uses_its_objects_again()
    {
        using var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor first = scope.Allocate(new Shape(10));
        first.RequiresGradient = true;
        scope.Reset();
        Assert.Equal(0, scope.Count);
        Tensor second = scope.Allocate(new Shape(20, 2), DataType.BFloat16);
        Assert.Same(first, second);
        Assert.Equal("BFloat16 [20, 2], gradient False", $"{second}, gradient {second.RequiresGradient}");
    }

    [Fact]
    public void Every_write_gives_a_tensor_a_new_content()
    {
        using var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor tensor = scope.Allocate(new Shape(4));
        var seen = new HashSet<long> { tensor.ContentId };
        _backend.Upload([1f, 2f, 3f, 4f], tensor);
        Assert.True(seen.Add(tensor.ContentId));
        _backend.Fill(tensor, 1);
        Assert.True(seen.Add(tensor.ContentId));
        _backend.Add(tensor, tensor, tensor);
        Assert.True(seen.Add(tensor.ContentId));
        _backend.ToArray(tensor);
        Assert.False(seen.Add(tensor.ContentId));
    }

    [Fact]
    public void Errors_name_operation_operand_and_both_shapes()
    {
        using var scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
        Tensor tensor = scope.Allocate(new Shape(4, 3));
        ShapeException error = Assert.Throws<ShapeException>(() => ShapeException.ThrowIfNot(tensor, new Shape(4, 5), "Add", "b"));
        Assert.Equal("Add: b should be [4, 5] but is [4, 3].", error.Message);
        Assert.Equal(("Add", "[4, 5]", "[4, 3]"), (error.Operation, error.Expected, error.Actual));
        error = Assert.Throws<ShapeException>(() => ShapeException.ThrowIfColumnsNot(tensor, 8, "Linear", "x"));
        Assert.Equal("Linear: x should be [..., 8] but is [4, 3].", error.Message);
        error = Assert.Throws<ShapeException>(() => ShapeException.ThrowIfNot(tensor, DataType.Int32, "Gather", "ids"));
        Assert.Equal("Gather: ids should be Int32 but is Float32.", error.Message);
        Assert.Throws<ShapeException>(() => tensor.UseGradient(scope.Allocate(new Shape(3, 4))));
    }

    [Fact]
    public void A_leak_is_found()
    {
        var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        var scope = new TensorScope(backend.Memory, MemoryPurpose.Weights);
        scope.Allocate(new Shape(10));
        Exception error = Assert.ThrowsAny<Exception>(() => LeakCheck.DisposeAndAssert(backend));
        Assert.Contains("256 bytes are still held: Weights 256.", error.Message, StringComparison.Ordinal);
        scope.Dispose();
        Assert.Equal(0, backend.Memory.BytesInUse);
    }
}
