using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A toy is caught high in a tree and the friend helps to get it down.</summary>
internal static class StuckInTree
{
    public static readonly Plot Plot = new()
    {
        Name = "stuck-in-tree",
        Roles =
        [
            ("flyer", ["kite", "ball", "balloon", "hat", "paper plane"]),
            ("tool", ["long stick", "ladder", "rope", "broom"]),
        ],
        Openings =
        [
            "{When}, {hero} and {friend} went out with a(n) {color} {flyer}.",
            "{When}, {hero} showed {his} {color} {flyer} to {friend}.",
            "{Hero} and {friend} wanted to see how high a(n) {color} {flyer} could fly.",
        ],
        Plain =
        [
            [
                "A strong wind [blew|came] and carried the {flyer} up into a [tall|big|very tall] tree.",
                "{He} threw it [up high|too high|into the air], and the wind took it to the top of a [tall|big|very tall] tree.",
                "Up, up, up it went, and then it was stuck in a [tall|big|very tall] tree.",
            ],
            [
                "{Hero} jumped and jumped, but {he} was too [small|short] to reach it.",
                "{He} shook the tree [hard|with both hands], but the {flyer} did not come down.",
                "\"Oh no, my {flyer}!\" cried {hero}, and {he} looked up at it with big eyes.",
            ],
            [
                "\"Don't be sad,\" said {friend}, \"I have a(n) {tool} at home.\"",
                "{Friend} thought for a moment and then ran to get a(n) {tool}.",
                "{Friend} had a good idea and came back with a(n) {tool}.",
            ],
            [
                "With the {tool}, {friend.he} [reached|got to] the branch, and the {flyer} [fell down|came down] into the grass.",
                "They used the {tool} together, and [at last|very soon] the {flyer} came down.",
            ],
            [
                "\"You are a true friend,\" said {hero}, and they played {athome}.",
                "{Hero} {smiled} and let {friend} have the next turn.",
                "{Hero} gave {friend} a big hug, and this time they stayed far away from the trees.",
            ],
        ],
        Pirate =
        [
            [
                "The {flyer} be stuck in a tree as tall as a mast.",
                "The wind stole the {flyer} an' left it up the mast.",
                "The {flyer} flew to the top o' the tall mast.",
            ],
            [
                "{Friend} brought a(n) {tool}, an' the loot came down!",
                "\"Use me {tool}, matey!\" said {friend}, an' down it came!",
                "{Friend} got it with a(n) {tool}, an' {captain} {jig}!",
            ],
        ],
    };
}
