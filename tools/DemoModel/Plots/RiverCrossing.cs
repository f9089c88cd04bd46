using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A small animal cannot cross the water, and a bigger one carries it.</summary>
internal static class RiverCrossing
{
    public static readonly Plot Plot = new()
    {
        Name = "river-crossing",
        Roles =
        [
            ("small", ["mouse", "squirrel", "hedgehog", "rabbit", "kitten", "hamster"]),
            ("big", ["bear", "deer", "horse", "goose", "beaver", "cow"]),
            ("water", ["river", "stream"]),
            ("errand", ["visit {his} grandma", "go to a party", "bring soup to a sick friend", "get home before dark", "see {his} cousins"]),
        ],
        Openings =
        [
            "{Hero} was a little {small} who lived near a(n) {water}.",
            "{When}, a little {small} named {hero} came to a(n) {water}.",
            "A little {small} named {hero} wanted to {errand}.",
        ],
        Plain =
        [
            [
                "{He} had to get to the other side of the {water}, but the bridge was [gone|broken].",
                "But the {water} was deep and fast, and there was no [bridge|boat].",
            ],
            [
                "\"How can I get across?\" {hero} [asked|wondered], and {he} [sat down on a stone|looked at the cold water].",
                "{He} put one foot in the water, but it was [too cold|much too cold], and {he} was afraid.",
                "",
            ],
            [
                "A big {big} saw {him} and said, \"Climb on my back, and I will carry you.\"",
                "Then a big {big} came to drink and asked, \"Do you need help, little one?\"",
            ],
            [
                "{Hero} climbed up, held on [tight|with all {his} strength], and they crossed the {water} safely.",
                "Step by step, the {big} carried {hero} through the water to the other side.",
            ],
            [
                "\"{Thanks},\" said {hero}, \"one day I will help you too.\"",
                "{Hero} thanked the {big} and gave it a(n) {color} flower.",
            ],
            [
                "[A week later|Some days later|The next day], the {big} had a thorn in its foot, and {hero} pulled it out with {his} tiny hands.",
                "[A week later|Some days later|The next day], the {big} was caught in a rope, and {hero} bit through it with {his} sharp teeth.",
                "After that, the big {big} and the little {small} were [good|best] friends.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "The {water} be wild as the seven seas, an' no ship in sight.",
                "{Captain} had no boat to cross the {water}.",
                "\"How do I sail this {water}?\" cried {captain}.",
            ],
            [
                "So a(n) {big} be the ship, an' {hero} be the captain!",
                "A big {big} took {hero} aboard an' set sail!",
                "{Captain} rode on a(n) {big} an' {jig}!",
            ],
        ],
    };
}
