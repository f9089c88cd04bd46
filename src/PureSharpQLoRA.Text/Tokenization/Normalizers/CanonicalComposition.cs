using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Unicode's tables for canonical decomposition and composition, read from the embedded CanonicalComposition.txt when first needed.</summary>
internal sealed class CanonicalComposition
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Tails = 28, Syllables = Leads * Vowels * Tails;

    private static readonly Lazy<CanonicalComposition> Loaded = new(() => new CanonicalComposition());

    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, (int First, int Second)> _decompositions = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];

    private CanonicalComposition()
    {
        using Stream stream = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("CanonicalComposition.txt")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "C":
                    string[] range = fields[1].Split("..");
                    for (int codePoint = Hex(range[0]); codePoint <= Hex(range[1]); codePoint++)
                    {
                        _classes[codePoint] = byte.Parse(fields[2], CultureInfo.InvariantCulture);
                    }

                    break;
                case "=" or ">":
                    (int First, int Second) parts = (Hex(fields[2]), fields.Length > 3 ? Hex(fields[3]) : -1);
                    _decompositions[Hex(fields[1])] = parts;
                    if (fields[0] == "=")
                    {
                        _compositions[parts] = Hex(fields[1]);
                    }

                    break;
            }
        }
    }

    public static CanonicalComposition Instance => Loaded.Value;

    public byte CombiningClass(int codePoint) => codePoint < 0x300 ? (byte)0 : _classes.GetValueOrDefault(codePoint);

    /// <summary>Adds what a character is made of; itself, if it is not made of others.</summary>
    public void Decompose(int codePoint, List<int> to)
    {
        int syllable = codePoint - HangulBase;
        if (syllable is >= 0 and < Syllables)
        {
            to.Add(LeadBase + (syllable / (Vowels * Tails)));
            to.Add(VowelBase + (syllable / Tails % Vowels));
            if (syllable % Tails != 0)
            {
                to.Add(TailBase + (syllable % Tails));
            }
        }
        else if (codePoint >= 0xC0 && _decompositions.TryGetValue(codePoint, out (int First, int Second) parts))
        {
            Decompose(parts.First, to);
            if (parts.Second >= 0)
            {
                Decompose(parts.Second, to);
            }
        }
        else
        {
            to.Add(codePoint);
        }
    }

    public bool TryCompose(int first, int second, out int composed)
    {
        int lead = first - LeadBase, vowel = second - VowelBase, syllable = first - HangulBase, tail = second - TailBase;
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels)
        {
            composed = HangulBase + (((lead * Vowels) + vowel) * Tails);
            return true;
        }

        if (syllable is >= 0 and < Syllables && syllable % Tails == 0 && tail is > 0 and < Tails)
        {
            composed = first + tail;
            return true;
        }

        return _compositions.TryGetValue((first, second), out composed);
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
