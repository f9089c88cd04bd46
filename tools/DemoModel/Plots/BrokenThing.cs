using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Something breaks, and telling the truth makes it right.</summary>
internal static class BrokenThing
{
    public static readonly Plot Plot = new()
    {
        Name = "broken-thing",
        Roles =
        [
            ("item", ["cup", "vase", "plate", "lamp", "bowl", "clock"]),
        ],
        Openings =
        [
            "{When}, {hero} was playing with {his} {toy} in the house.",
            "{Hero} was running through the house with {his} {toy}.",
            "{When}, {hero} threw {his} {toy} across the [kitchen|room].",
        ],
        Plain =
        [
            [
                "It hit a(n) {color} {item}, and the {item} fell down and broke.",
                "Then there was a loud crash, because {he} had [hit|knocked over] {his} {elder}'s {color} {item}.",
                "{He} did not see the {color} {item} on the table, and it fell to the floor and broke.",
            ],
            [
                "{Hero} was [scared|afraid] and wanted to hide the pieces [under the bed|behind the door|in a box].",
                "\"Oh no,\" {he} [said|whispered], \"my {elder} loves that {item}.\"",
                "{He} looked at the pieces and felt {sad}.",
                "",
            ],
            [
                "But {he} knew that it was right to tell the truth, so {he} went to {his} {elder}.",
                "Then {he} took a deep breath and said, \"I broke the {item}, and I am sorry.\"",
                "{He} thought about it for a while, and then {he} told {his} {elder} everything.",
            ],
            [
                "{His} {elder} was not angry and said, \"Thank you for telling me.\"",
                "\"I am glad that you told me the truth,\" said {his} {elder}, and gave {him} a hug.",
            ],
            [
                "Together they [got some glue|found the glue] and put the {item} back together.",
                "They fixed the {item} with glue, and it looked [almost new|even better than before].",
            ],
            [
                "After that, {hero} only played with the {toy.noun} outside.",
                "{Hero} felt much better, and {he} was more careful from then on.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} blew up the {item} like a cannon.",
                "The {toy} flew like a cannon ball an' sank the {item}.",
                "The {item} be in a hundred bits on the deck.",
            ],
            [
                "\"I did it!\" said {captain}, for a true pirate be honest!",
                "The {crew} fixed it with glue an' {jig}!",
                "{Captain} told the truth an' kept off the plank!",
            ],
        ],
    };
}
