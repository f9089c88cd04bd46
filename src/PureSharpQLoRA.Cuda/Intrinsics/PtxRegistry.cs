using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Types;
using ILGPU.IR.Values;
using Registers = ILGPU.Backends.RegisterAllocator<ILGPU.Backends.PTX.PTXRegisterKind>;

namespace PureSharpQLoRA.Cuda.Intrinsics;

/// <summary>Teaches ILGPU's PTX backend the methods marked with <see cref="PtxAttribute"/>.</summary>
internal static partial class PtxRegistry
{
    /// <summary>Registers every marked static method of a type.</summary>
    public static Context.Builder EnablePtx(this Context.Builder builder, Type type)
    {
        IntrinsicImplementationManager manager = builder.GetIntrinsicManager();
        MethodInfo handler = typeof(PtxRegistry).GetMethod(nameof(Generate), BindingFlags.Public | BindingFlags.Static)!;
        foreach (MethodInfo method in type.GetMethods(BindingFlags.Public | BindingFlags.Static))
        {
            if (method.IsDefined(typeof(PtxAttribute)))
            {
                manager.RegisterMethod(method, new PTXIntrinsic(handler, IntrinsicImplementationMode.GenerateCode));
            }
        }

        return builder;
    }

    /// <summary>Called by ILGPU for each call of a marked method: writes its template with registers filled in.</summary>
    public static void Generate(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        ArgumentNullException.ThrowIfNull(generator);
        var call = (MethodCall)value;
        PtxAttribute attribute = call.Target.Source.GetCustomAttribute<PtxAttribute>()!;
        // A register, or the text of a literal.
        var operands = new List<object>();
        var temporaries = new List<Registers.HardwareRegister>();
        if (!call.Type.IsVoidType)
        {
            Flatten(generator.Allocate(call), operands);
        }

        for (int i = 0; i < call.Count; i++)
        {
            Value argument = call.Nodes[i];
            if ((attribute.LiteralArguments >> i & 1) != 0)
            {
                operands.Add(Literal(call, argument, i));
            }
            else if (argument.Type is AddressSpaceType address)
            {
                bool shared = (attribute.SharedArguments >> i & 1) != 0;
                operands.Add(LoadAddress(generator, argument, address, shared, temporaries));
            }
            else
            {
                Flatten(generator.Load(argument), operands);
            }
        }

        WriteTemplate(generator, attribute.Template, operands);
        foreach (Registers.HardwareRegister register in temporaries)
        {
            generator.FreeRegister(register);
        }
    }

    private static string Literal(MethodCall call, Value argument, int index) => argument.Resolve() is PrimitiveValue literal
        ? literal.Int32Value.ToString(CultureInfo.InvariantCulture)
        : throw new NotSupportedException($"Argument {index} of {call.Target.Source.Name} is no constant.");

    private static Registers.HardwareRegister LoadAddress(
        PTXCodeGenerator generator, Value argument, AddressSpaceType type, bool shared, List<Registers.HardwareRegister> temporaries)
    {
        Registers.HardwareRegister register = generator.LoadHardware(argument);
        if (!shared || type.AddressSpace != MemoryAddressSpace.Generic)
        {
            return register;
        }

        Registers.HardwareRegister converted = generator.AllocatePlatformRegister(out _);
        using (PTXCodeGenerator.CommandEmitter command = generator.BeginCommand("cvta.to.shared.u64"))
        {
            command.AppendArgument(converted);
            command.AppendArgument(register);
        }

        temporaries.Add(converted);
        return converted;
    }

    private static void WriteTemplate(PTXCodeGenerator generator, string template, List<object> operands)
    {
        bool braced = template.StartsWith('{') && template.EndsWith('}');
        using var command = new PTXCodeGenerator.CommandEmitter(generator.Builder, "", braced ? "" : ";");
        generator.Builder.Append('\t');
        int position = 0;
        foreach (Match match in Placeholder().Matches(template))
        {
            command.AppendRawString(template[position..match.Index]);
            object operand = operands[int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)];
            if (operand is string literal)
            {
                command.AppendRawString(literal);
            }
            else
            {
                command.AppendArgument((Registers.PrimitiveRegister)operand);
            }

            position = match.Index + match.Length;
        }

        command.AppendRawString(template[position..]);
    }

    private static void Flatten(Registers.Register register, List<object> list)
    {
        if (register is Registers.CompoundRegister compound)
        {
            foreach (Registers.Register child in compound.Children)
            {
                Flatten(child, list);
            }
        }
        else
        {
            list.Add(register);
        }
    }

    [GeneratedRegex(@"%(\d+)")]
    private static partial Regex Placeholder();
}
