using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>Packs kernel arguments into the buffer a kernel declares.</summary>
public static class KernelArguments
{
    /// <summary>One unmanaged struct, primitive, or byte array per parameter; sizes must match the declaration.</summary>
    public static byte[] Pack(PtxKernel kernel, params object[] arguments)
    {
        if (arguments.Length != kernel.Parameters.Count)
        {
            throw new PtxLaunchException($"{kernel.Name} takes {kernel.Parameters.Count} arguments ({string.Join(", ", kernel.Parameters.Select(p => $"{p.Name}:{p.Size}"))}), not {arguments.Length}");
        }

        var buffer = new byte[kernel.ParameterBytes];
        for (int i = 0; i < arguments.Length; i++)
        {
            byte[] bytes = Bytes(arguments[i]);
            KernelParameter p = kernel.Parameters[i];
            if (bytes.Length != p.Size)
            {
                throw new PtxLaunchException($"argument {i} of {kernel.Name} has {bytes.Length} bytes, parameter {p.Name} has {p.Size}");
            }

            bytes.CopyTo(buffer, p.Offset);
        }
        return buffer;
    }

    /// <summary>The bytes of a boxed unmanaged value.</summary>
    public static byte[] Bytes(object value)
    {
        switch (value)
        {
            case byte[] raw: return raw;
            case bool b: return [b ? (byte)1 : (byte)0];
        }
        Type type = value.GetType();
        if (type.IsEnum)
        {
            type = Enum.GetUnderlyingType(type);
        }
        // a boxed value's data follows its method table pointer, in the layout the runtime (and ILGPU) uses
        int size = SizeOf(type);
        ref byte data = ref Unsafe.As<RawBox>(value).Data;
        return MemoryMarshal.CreateReadOnlySpan(ref data, size).ToArray();
    }

    private static int SizeOf(Type type)
    {
        if (!type.IsValueType || (bool)IsReferenceMethod.MakeGenericMethod(type).Invoke(null, null)!)
        {
            throw new PtxLaunchException($"{type} is not an unmanaged value");
        }

        return (int)SizeMethod.MakeGenericMethod(type).Invoke(null, null)!;
    }

    private static readonly System.Reflection.MethodInfo SizeMethod = typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!;
    private static readonly System.Reflection.MethodInfo IsReferenceMethod = typeof(RuntimeHelpers).GetMethod(nameof(RuntimeHelpers.IsReferenceOrContainsReferences))!;

    private sealed class RawBox
    {
        public byte Data;
    }
}
