using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A seed is planted, waited for, and grows.</summary>
internal static class PlantedSeed
{
    public static readonly Plot Plot = new()
    {
        Name = "planted-seed",
        Roles =
        [
            ("plant", ["sunflower", "pumpkin", "bean plant", "apple tree", "rose bush", "melon", "cherry tree"]),
            ("pot", ["pot", "garden bed", "corner of the yard"]),
        ],
        Openings =
        [
            "{Hero}'s {elder} gave {him} a [tiny|small|little] seed.",
            "{When}, {hero} found a [tiny|small|little] seed in {his} [pocket|garden].",
            "{When}, {hero} wanted to [grow something|plant a seed] with {his} {elder}.",
        ],
        Plain =
        [
            [
                "{He} made a hole in a [sunny|small] {pot}, put the seed in, and covered it with [soft|dark] earth.",
                "They planted the seed in a [sunny|small] {pot} and gave it some water.",
            ],
            [
                "Every day, {hero} [watered it|gave it water] and waited, but nothing [happened|came up].",
                "{Hero} looked at it every morning, but all {he} saw was brown earth.",
                "\"When will it grow?\" {he} asked [every day|again and again].",
            ],
            [
                "\"You must [wait|be patient],\" said {his} {elder}, \"good things take time.\"",
                "{He} wanted to [give up|dig it up], but {his} {elder} told {him} to wait a little longer.",
                "",
            ],
            [
                "Then, after a [warm rain|rainy night|long week], a [tiny|little] green leaf came out of the ground.",
                "At last, one morning, there was a [tiny|little] green leaf in the sun.",
            ],
            [
                "It grew and grew until it was a [big|wonderful|beautiful] {plant}.",
                "By the end of summer, it was a [big|fine|beautiful] {plant}, and everyone came to see it.",
            ],
            [
                "{Hero} was {happy}, and {he} was glad that {he} had waited.",
                "{Hero} {smiled} and saved some seeds for the next year.",
                "\"I grew it all by myself!\" {he} said, and {his} {elder} was very proud of {him}.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} buried the seed like a chest o' gold.",
                "{Captain} hid the seed in the ground, as pirates do.",
                "The seed be buried treasure, an' {captain} kept watch.",
            ],
            [
                "Up came a(n) {plant} as tall as a mast!",
                "It grew into a(n) {plant}, an' the {crew} {jig}!",
                "Now there be a(n) {plant}, an' {captain} {jig}!",
            ],
        ],
    };
}
