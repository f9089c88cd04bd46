namespace PureSharpQLoRA.Text;

/// <summary>Reads "TemplateProcessing": a text (sequence A) among special tokens.</summary>
internal static class TemplatePostProcessor
{
    public static PostProcessor Load(JsonField json)
    {
        var before = new List<int>();
        var after = new List<int>();
        bool seen = false;
        foreach (JsonField piece in json.Get("single").Items())
        {
            if (piece.Find("Sequence") is { } sequence)
            {
                if (seen || sequence.Get("id").String() != "A")
                {
                    throw piece.Wrong("the sequence A, once");
                }

                seen = true;
                continue;
            }

            JsonField name = piece.Get("SpecialToken").Get("id");
            JsonField token = json.Get("special_tokens").Get(name.String());
            (seen ? after : before).AddRange(token.Get("ids").Items().Select(id => id.Int()));
        }

        return seen ? new PostProcessor([.. before], [.. after]) : throw json.Get("single").Wrong("a template with the sequence A");
    }
}
