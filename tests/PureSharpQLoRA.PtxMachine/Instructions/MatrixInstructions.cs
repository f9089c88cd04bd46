using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>
/// mma.sync (PTX ISA "Warp Level Matrix Instructions: mma"). Products are summed in double and rounded once to the
/// accumulator type; the tensor cores' own order and truncation differ in the last bits.
/// </summary>
internal sealed unsafe class Mma(
    FragmentLayout layout, ScalarType typeA, ScalarType typeB, ScalarType typeC, ScalarType typeD,
    int[] d, int[] a, int[] b, int[] c, bool saturate) : Instruction
{
    [ThreadStatic] private static float[]? bufferA, bufferB;
    [ThreadStatic] private static double[]? bufferC;

    /// <summary>Multiply-adds of one warp-wide execution.</summary>
    public long MultiplyAdds => (long)layout.M * layout.N * layout.K;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        if (mask != uint.MaxValue)
        {
            w.Report(ViolationKind.DivergentSync, this, System.Numerics.BitOperations.TrailingZeroCount(~mask), $"mma.sync executed by lanes 0x{mask:X8} only");
        }

        byte* r = w.Registers;
        if (typeA == ScalarType.F64) { ExecuteDouble(r); return; }
        float[] fa = bufferA ??= new float[512], fb = bufferB ??= new float[512];
        double[] fc = bufferC ??= new double[128];
        GatherMultiplicand(r, a, layout.A, layout.ACount, typeA, fa);
        GatherMultiplicand(r, b, layout.B, layout.BCount, typeB, fb);
        GatherAccumulator(r, fc);
        Multiply(fa, fb, fc);
        Scatter(r, fc);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(float[] fa, float[] fb, double[] fc)
    {
        int k = layout.K, n = layout.N;
        fixed (float* pa = fa, pb = fb)
        fixed (double* pc = fc)
        {
            for (int row = 0; row < layout.M; row++)
            {
                float* x = pa + row * k;
                for (int col = 0; col < n; col++)
                {
                    float* y = pb + col * k;
                    double even = 0, odd = 0; // exact products; two sums keep the adder busy
                    for (int i = 0; i < k; i += 2)
                    {
                        even += (double)x[i] * y[i];
                        odd += (double)x[i + 1] * y[i + 1];
                    }
                    pc[row * n + col] += even + odd;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GatherMultiplicand(byte* r, int[] slots, int[] table, int count, ScalarType type, float[] target)
    {
        int perRegister = type switch { ScalarType.F16 or ScalarType.BF16 => 2, ScalarType.S8 or ScalarType.U8 => 4, _ => 1 };
        int bits = 32 / perRegister;
        for (int i = 0; i < count; i++)
        {
            uint* slot = (uint*)(r + slots[i / perRegister]);
            int shift = i % perRegister * bits;
            for (int lane = 0; lane < 32; lane++)
            {
                uint raw = slot[lane] >> shift;
                target[table[lane * count + i]] = type switch
                {
                    ScalarType.F16 => HalfFormat.ToSingle(raw & 0xFFFF),
                    ScalarType.BF16 => BFloatFormat.ToSingle(raw & 0xFFFF),
                    ScalarType.TF32 => BitConverter.UInt32BitsToSingle(raw & 0xFFFFE000), // hardware ignores the low 13 bits
                    ScalarType.S8 => (sbyte)raw,
                    _ => (byte)raw,
                };
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GatherAccumulator(byte* r, double[] target)
    {
        int count = layout.CCount;
        for (int i = 0; i < count; i++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                target[layout.C[lane * count + i]] = typeC switch
                {
                    ScalarType.F16 => HalfFormat.ToSingle(((uint*)(r + c[i / 2]))[lane] >> (16 * (i & 1)) & 0xFFFF),
                    ScalarType.S32 => ((int*)(r + c[i]))[lane],
                    _ => ((float*)(r + c[i]))[lane],
                };
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Scatter(byte* r, double[] source)
    {
        int count = layout.CCount;
        for (int i = 0; i < count; i++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                double value = source[layout.C[lane * count + i]];
                switch (typeD)
                {
                    case ScalarType.F16:
                        uint* slot = (uint*)(r + d[i / 2]) + lane;
                        uint half = HalfFormat.FromDoubleExact(value);
                        *slot = (i & 1) == 0 ? half : *slot & 0xFFFF | half << 16;
                        break;
                    case ScalarType.S32:
                        ((int*)(r + d[i]))[lane] = saturate ? (int)Math.Clamp(value, int.MinValue, int.MaxValue) : (int)(long)value;
                        break;
                    default:
                        ((float*)(r + d[i]))[lane] = (float)value;
                        break;
                }
            }
        }
    }

    private void ExecuteDouble(byte* r)
    {
        double* fa = stackalloc double[32], fb = stackalloc double[32], fc = stackalloc double[64];
        for (int lane = 0; lane < 32; lane++)
        {
            fa[layout.A[lane]] = ((double*)(r + a[0]))[lane];
            fb[layout.B[lane]] = ((double*)(r + b[0]))[lane];
            for (int i = 0; i < 2; i++)
            {
                fc[layout.C[lane * 2 + i]] = ((double*)(r + c[i]))[lane];
            }
        }
        for (int row = 0; row < 8; row++)
        {
            for (int col = 0; col < 8; col++)
            {
                for (int k = 0; k < 4; k++)
                {
                    fc[row * 8 + col] = Math.FusedMultiplyAdd(fa[row * 4 + k], fb[col * 4 + k], fc[row * 8 + col]);
                }
            }
        }

        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < 2; i++)
            {
                ((double*)(r + d[i]))[lane] = fc[layout.C[lane * 2 + i]];
            }
        }
    }
}

/// <summary>
/// ldmatrix and stmatrix (PTX ISA "ldmatrix", "stmatrix"): lanes 8j..8j+7 give the row addresses of 8x8 matrix j;
/// lane l holds elements 2(l%4), 2(l%4)+1 of row l/4, or of column l/4 with .trans.
/// </summary>
internal sealed unsafe class MatrixMove(bool store, AddressRef address, int[] slots, bool transposed) : Instruction, IMemoryInstruction
{
    public AccessKind Access => store ? AccessKind.Write : AccessKind.Read;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        if (mask != uint.MaxValue)
        {
            w.Report(ViolationKind.DivergentSync, this, System.Numerics.BitOperations.TrailingZeroCount(~mask), $"executed by lanes 0x{mask:X8} only");
        }

        uint rows = slots.Length == 4 ? uint.MaxValue : (1u << (8 * slots.Length)) - 1;
        w.GatherAddresses(rows, address);
        w.Resolve(this, rows, address.Space, 16, Access);
        byte* r = w.Registers;
        uint* result = stackalloc uint[32 * 4];
        for (int j = 0; j < slots.Length; j++)
        {
            byte** row = w.Pointers + 8 * j;
            uint* slot = (uint*)(r + slots[j]);
            for (int lane = 0; lane < 32; lane++)
            {
                int major = lane >> 2, minor = (lane & 3) * 2;
                ushort* low = transposed ? (ushort*)row[minor] + major : (ushort*)row[major] + minor;
                ushort* high = transposed ? (ushort*)row[minor + 1] + major : low + 1;
                if (store) { *low = (ushort)slot[lane]; *high = (ushort)(slot[lane] >> 16); }
                else
                {
                    result[32 * j + lane] = *low | (uint)*high << 16;
                }
            }
        }
        // written last: the address register may be among the targets
        for (int j = 0; !store && j < slots.Length; j++)
        {
            new Span<uint>(result + 32 * j, 32).CopyTo(new Span<uint>(r + slots[j], 32));
        }
    }
}

/// <summary>movmatrix.sync.aligned.m8n8.trans.b16: transposes an 8x8 matrix held across the warp.</summary>
internal sealed unsafe class MatrixTranspose(int d, int a) : Instruction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp w, uint mask)
    {
        uint* source = (uint*)(w.Registers + a), target = (uint*)(w.Registers + d);
        ushort* matrix = stackalloc ushort[64];
        for (int lane = 0; lane < 32; lane++)
        {
            matrix[(lane >> 2) * 8 + (lane & 3) * 2] = (ushort)source[lane];
            matrix[(lane >> 2) * 8 + (lane & 3) * 2 + 1] = (ushort)(source[lane] >> 16);
        }
        for (int lane = 0; lane < 32; lane++)
        {
            target[lane] = matrix[(lane & 3) * 16 + (lane >> 2)] | (uint)matrix[(lane & 3) * 16 + 8 + (lane >> 2)] << 16;
        }
    }
}
