using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Something goes wrong in the kitchen, and the second try is good.</summary>
internal static class BakingTrouble
{
    public static readonly Plot Plot = new()
    {
        Name = "baking-trouble",
        Roles =
        [
            ("missing", ["sugar", "eggs", "butter", "honey", "milk"]),
            ("mess", ["flat and hard", "as hard as a rock", "very flat", "sad and flat"]),
        ],
        Openings =
        [
            "{When}, {hero} and {his} {elder} wanted to bake a(n) {food}.",
            "{Hero} wanted to make a(n) {food} for {friend}.",
            "{When}, {hero} put on {his} apron to bake a(n) {food}.",
        ],
        Plain =
        [
            [
                "{He} put everything in a [big|blue|white] bowl and [mixed|stirred] it [well|with a spoon].",
                "Soon there was flour [on the floor|on {his} nose|in {his} hair|everywhere], and {hero} laughed.",
                "{Hero} [mixed|stirred] and sang, and {his} {elder} heated the oven.",
                "",
            ],
            [
                "But when the {food.noun} came out of the oven, it was {mess}.",
                "They waited and waited, but the {food.noun} came out {mess}.",
            ],
            [
                "\"Oh no,\" said {hero}, \"I forgot the {missing}!\"",
                "{His} {elder} looked around and found the {missing} still on the table.",
                "{Hero} [tasted it|took a bite], made a face, and saw that {he} had forgotten the {missing}.",
            ],
            [
                "\"Everyone makes mistakes,\" said {his} {elder}, \"let's try again.\"",
                "{Hero} was {sad} for a moment, but then {he} [washed|cleaned] the bowl and began again.",
            ],
            [
                "This time {he} [thought of everything|did not forget the {missing}], and the {food.noun} smelled [wonderful|so good].",
                "The second {food.noun} was [soft|golden] and sweet, with plenty of {missing} in it.",
            ],
            [
                "They gave a piece to {friend}, who said that it was the best {food} in the world.",
                "{Friend} came by to taste it and asked for more.",
                "{Hero} ate so much that {his} belly was as round as a ball.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "The {food} be {mess}, for the {missing} be lost at sea.",
                "{Captain} forgot the {missing}, an' the {food.noun} be {mess}.",
                "No {missing} be in it, an' it be {mess}.",
            ],
            [
                "So {captain} baked again, an' the {crew} {jig}!",
                "The next {food.noun} be a treasure, an' {friend} ate it all!",
            ],
        ],
    };
}
