namespace PureSharpQLoRA.Text;

/// <summary>The working memory of merging one word: symbols as a doubly linked list in arrays, and the queue of merges that apply.</summary>
internal sealed class MergeScratch
{
    public int[] Ids = new int[64];
    public int[] Previous = new int[64];
    public int[] Next = new int[64];
    public int Count;

    /// <summary>Positions by (rank, position): the earliest learnt merge first, the leftmost of equals first.</summary>
    public PriorityQueue<int, ulong> Queue { get; } = new();

    public void Add(int id)
    {
        if (Count == Ids.Length)
        {
            Array.Resize(ref Ids, Count * 2);
            Array.Resize(ref Previous, Count * 2);
            Array.Resize(ref Next, Count * 2);
        }

        Ids[Count] = id;
        Previous[Count] = Count - 1;
        Next[Count] = Count + 1;
        Count++;
    }
}
