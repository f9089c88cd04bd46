using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Training;

/// <summary>A short name of a data set's content, so that a run is never resumed with other data.</summary>
internal static class DataFingerprint
{
    public static string Of(Dataset data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Example example in data.Examples)
        {
            // The length, so that documents cut at other places differ even where their tokens agree.
            int length = example.Ids.Length;
            hash.AppendData(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length)));
            hash.AppendData(MemoryMarshal.AsBytes(example.Ids.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(example.Labels.AsSpan()));
        }

        return string.Create(CultureInfo.InvariantCulture, $"{data.Examples.Count}-{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8))}");
    }
}
