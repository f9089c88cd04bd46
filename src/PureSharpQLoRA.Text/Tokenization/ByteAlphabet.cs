using System.Collections.Frozen;

namespace PureSharpQLoRA.Text;

/// <summary>The printable character that stands for each byte in byte-level vocabularies (introduced with GPT-2).</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly FrozenDictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToFrozenDictionary(value => Characters[value], value => (byte)value);

    public static char ToChar(byte value) => Characters[value];

    public static bool TryToByte(char character, out byte value) => Bytes.TryGetValue(character, out value);

    private static char[] Build()
    {
        char[] characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE;
            characters[value] = (char)(printable ? value : next++);
        }

        return characters;
    }
}
