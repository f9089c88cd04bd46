using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A toy is lost outdoors and an animal finds it again.</summary>
internal static class LostToy
{
    public static readonly Plot Plot = new()
    {
        Name = "lost-toy",
        Openings =
        [
            "{When}, {hero} took {his} {toy} to {place}.",
            "{Hero} was playing {place.in} with {his} {toy}.",
            "{Hero} loved {his} {toy} so much that {he} took it to {place}.",
        ],
        Plain =
        [
            [
                "{He} stopped to [watch a butterfly|pick some flowers|look at the clouds|drink some water], and when {he} [turned|looked] around, the {toy.noun} was gone.",
                "{He} [ran and jumped|sang and danced|ran and laughed] so much that {he} forgot where {he} had left the {toy.noun}.",
                "{He} put it down to [tie {his} shoe|climb a big rock|eat an apple], but then {he} could not find it again.",
            ],
            [
                "{Hero} looked under [the bushes|a bench|the leaves|a big rock] and behind [every tree|the old wall|a tall fence], but the {toy.noun} was not there.",
                "{He} felt {sad} and [sat down to cry|began to cry|did not know what to do].",
                "\"Where is my {toy.noun}?\" {he} [cried|asked], and a tear ran down {his} cheek.",
            ],
            [
                "Just then, a(n) {animal} came along and showed {him} the {toy} in the tall grass.",
                "A(n) {animal} heard {him} and helped {him} look, and soon they saw the {toy} [under a leaf|behind a log|next to a bush].",
                "Then a(n) {animal} [came by|came out of the grass|walked up to {him}] and said, \"I found your {toy.noun} [under a tree|behind a rock|in a bush].\"",
            ],
            [
                "\"{Thanks}!\" said {hero}, and {he} hugged the {toy.noun}.",
                "{Hero} {smiled} and held the {toy.noun} [tight|close].",
                "{He} was {happy} to have it back, and {he} thanked the {animal.noun}.",
            ],
            [
                "From that day on, {hero} always [kept an eye on|took good care of] {his} {toy.noun}.",
                "{Hero} and the {animal.noun} played together {athome}.",
                "After that, the {animal.noun} and {hero} were [good|the best of] friends.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} be lookin' high an' low for the {toy}.",
                "The {toy} be lost, an' {captain} be weepin'.",
                "{Captain} lost the {toy}, the best treasure o' all.",
            ],
            [
                "A(n) {animal} had the loot, an' the {crew} {jig}!",
                "A(n) {animal} dug it up, an' {captain} {jig}!",
            ],
        ],
    };
}
