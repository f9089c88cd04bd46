using System.Globalization;
using System.Text.RegularExpressions;

namespace PureSharpQLoRA.Kernels.Assembly;

/// <summary>The instructions of a kernel's machine code, as cuobjdump prints them.</summary>
internal sealed partial class SassListing
{
    /// <summary>A forward branch over so many selections is the mask of a diagonal tile, which most iterations skip.</summary>
    private const int MaskSelections = 8;

    private readonly List<Instruction> _instructions = [];

    /// <summary>Reads the output of <c>cuobjdump -sass</c>.</summary>
    public static SassListing Parse(string text)
    {
        var listing = new SassListing();
        foreach (Match line in Line().Matches(text))
        {
            string code = line.Groups[2].Value.Trim();
            string opcode = Guard().Replace(code, "").Split(' ')[0];
            Match branch = Branch().Match(code);
            int target = branch.Success ? int.Parse(branch.Groups[1].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture) : -1;
            listing._instructions.Add(new Instruction(int.Parse(line.Groups[1].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture), opcode, target));
        }

        return listing;
    }

    /// <summary>Instructions whose name begins so.</summary>
    public int Count(string prefix) => _instructions.Count(instruction => instruction.Opcode.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>The opcodes of the shortest loop that holds the most tensor-core instructions; empty where there is none.</summary>
    public IReadOnlyList<string> InnerLoop()
    {
        List<Instruction> best = [];
        int most = 0;
        foreach (Instruction branch in _instructions)
        {
            if (branch.Target < 0 || branch.Target >= branch.Address)
            {
                continue;
            }

            List<Instruction> body = [.. _instructions.Where(i => i.Address >= branch.Target && i.Address <= branch.Address && i.Opcode != "NOP")];
            int products = body.Count(IsProduct);
            if (products > most || (products == most && most > 0 && body.Count < best.Count))
            {
                (best, most) = (body, products);
            }
        }

        return [.. WithoutMasks(best).Select(instruction => instruction.Opcode)];
    }

    private static bool IsProduct(Instruction instruction) => instruction.Opcode.StartsWith("HMMA", StringComparison.Ordinal);

    private static IEnumerable<Instruction> WithoutMasks(List<Instruction> body)
    {
        int resume = 0;
        foreach (Instruction instruction in body)
        {
            if (instruction.Address < resume)
            {
                continue;
            }

            yield return instruction;
            if (instruction.Target > instruction.Address)
            {
                List<Instruction> skipped = [.. body.Where(i => i.Address > instruction.Address && i.Address < instruction.Target)];
                if (skipped.Count(i => i.Opcode.Contains("SEL", StringComparison.Ordinal)) >= MaskSelections && !skipped.Any(IsProduct))
                {
                    resume = instruction.Target;
                }
            }
        }
    }

    [GeneratedRegex(@"^\s+/\*([0-9a-f]{4,5})\*/\s+(.*?);", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"BRA\S*\s+(?:[U!P0-9,]*\s+)?0x([0-9a-f]+)")]
    private static partial Regex Branch();

    [GeneratedRegex(@"^@!?U?P\w+\s+")]
    private static partial Regex Guard();

    private readonly record struct Instruction(int Address, string Opcode, int Target);
}
