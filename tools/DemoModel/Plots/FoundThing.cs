using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Something lost is found and brought back to its owner.</summary>
internal static class FoundThing
{
    public static readonly Plot Plot = new()
    {
        Name = "found-thing",
        Roles =
        [
            ("owner", ["old man", "old woman", "baker", "teacher", "farmer", "neighbor"]),
        ],
        Openings =
        [
            "{When}, {hero} found a(n) {find} {place.in}.",
            "{Hero} saw something shine {place.in}, and it was a(n) {find}.",
            "{Hero} was walking {place.in} when {he} stepped on a(n) {find}.",
        ],
        Plain =
        [
            [
                "It was [half under a leaf|in the dust|next to a stone], where nobody had seen it.",
                "{Hero} picked it up and [cleaned it|rubbed it] with {his} sleeve.",
                "\"How pretty!\" said {hero}, and {he} held it up to the light.",
                "",
            ],
            [
                "{He} wanted to keep it, but {he} knew that somebody must miss it.",
                "\"I wonder who lost it,\" {he} said, and {he} looked all around.",
                "At first {he} put it in {his} pocket, but it did not feel right.",
            ],
            [
                "So {he} went from [house to house|door to door] and asked everyone about the {find.noun}.",
                "So {he} [made a sign|drew a picture of it] and put it on the [gate|wall|big tree].",
            ],
            [
                "Before long, a(n) {owner} came [up to {him}|along] and cried, \"That is my {find.noun}!\"",
                "The next day, a(n) {owner} came and said, \"I have looked for that {find.noun} everywhere!\"",
            ],
            [
                "{Hero} gave it back, and the {owner} gave {him} a(n) {food} to say thank you.",
                "\"You are very honest,\" said the {owner}, and gave {him} a(n) {food} to take home.",
                "{Hero} was glad to give it back, and {he} walked home with a warm heart.",
            ],
            [
                "{He} told the story to {friend}, and they were both {happy}.",
                "{He} told {his} {elder} about it, and {his} {elder} was very proud of {him}.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} found a(n) {find}, real pirate gold!",
                "\"Treasure!\" roared {captain}, an' the {crew} {jig}.",
                "The {find} be fine loot for {captain}.",
            ],
            [
                "But it belonged to a(n) {owner}, so back it went!",
                "{Captain} gave it back to a(n) {owner}, for a good pirate be fair!",
                "But a(n) {owner} be weepin' for it, so {captain} gave it back!",
            ],
        ],
    };
}
