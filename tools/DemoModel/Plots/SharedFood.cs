using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A child shares a treat with a friend who has none.</summary>
internal static class SharedFood
{
    public static readonly Plot Plot = new()
    {
        Name = "shared-food",
        Openings =
        [
            "{Hero}'s {elder} gave {him} a(n) {food} to eat {place.in}.",
            "{When}, {hero} took a(n) {food} to {place} for lunch.",
            "{Hero} sat {place.in} with a big {food} in {his} [hands|basket].",
        ],
        Plain =
        [
            [
                "{He} was just about to take a bite when {he} saw {friend}, who [looked sad|sat all alone|had nothing to eat].",
                "Then {friend} came by with [a sad face|an empty basket|empty hands].",
                "Not far away, {friend} was sitting [alone|under a tree] and looking at the {food.noun}.",
            ],
            [
                "\"I forgot my lunch at home,\" said {friend}, \"and I am so hungry.\"",
                "\"My {food.noun} fell in the mud,\" said {friend} [in a small voice|with a tear in {friend.his} eye].",
                "\"What is wrong?\" asked {hero}, and {friend} said that {friend.he} was very hungry.",
            ],
            [
                "{Hero} looked at the {food.noun} and thought about it [for a moment|for a while].",
                "{Hero} loved sweet things, but {he} did not like to see {his} friend so sad.",
                "",
            ],
            [
                "{He} [cut|broke] the {food.noun} into two pieces and gave {friend} the bigger one.",
                "\"We can share it,\" said {hero}, and {he} gave {friend} half of the {food.noun}.",
                "\"Here, have some of my {food.noun},\" {he} said, and {friend} [smiled|took a big bite].",
            ],
            [
                "The {food.noun} tasted even better when they ate it together.",
                "The next day, {friend} brought a(n) {food} too, and {friend.he} gave half of it to {hero}.",
                "They ate and laughed {athome}, and nobody was hungry any more.",
                "{Hero} learned that sharing [makes two people happy|is more fun than eating alone].",
            ],
        ],
        Pirate =
        [
            [
                "{Friend} be hungry as a shark, with no grub at all.",
                "Poor {friend} had no {food.noun} an' a rumblin' belly.",
                "A hungry lubber named {friend} came aboard.",
            ],
            [
                "{Captain} split the {food.noun}, for mateys share the loot!",
                "\"Half the loot be yours!\" said {captain}, an' they {jig}!",
                "{Captain} gave half the {food.noun} to {friend}, as a good pirate must!",
            ],
        ],
    };
}
