using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A new child is shy until somebody asks to play.</summary>
internal static class ShyNewChild
{
    public static readonly Plot Plot = new()
    {
        Name = "shy-new-child",
        Roles =
        [
            ("game", ["tag", "catch", "hide and seek", "ball"]),
            ("spot", ["on the swings", "by the gate", "under a tree", "on a bench", "in the sandbox"]),
        ],
        Openings =
        [
            "{When}, {hero} saw a new {friend.child} {spot}.",
            "There was a new {friend.child} {spot}, and {hero} wanted to know {friend.his} name.",
            "{Hero} came to the playground and saw a(n) {friend.child} all alone {spot}.",
        ],
        Plain =
        [
            [
                "{Friend.he} [looked down at {friend.his} shoes|held a(n) {toy} and did not say a word|did not play with anyone].",
                "{Friend.he} looked shy and a little [sad|lonely].",
                "",
            ],
            [
                "{Hero} walked up to {friend.him} and said, \"Hi, I am {hero}, what is your name?\"",
                "\"Hello,\" said {hero} [with a smile|with a friendly smile], \"do you want to play {game} with me?\"",
            ],
            [
                "\"My name is {friend},\" the {friend.child} [whispered|said softly], \"and I don't know anyone here.\"",
                "\"I am {friend},\" said the {friend.child}, \"and we just moved here.\"",
            ],
            [
                "\"Now you know me,\" said {hero}, and {he} took {friend.his} hand.",
                "{Hero} remembered how it felt to be new, so {he} [stayed with {friend.him}|showed {friend.him} everything].",
                "",
            ],
            [
                "They played {game} and [shared a(n) {food}|laughed|told jokes] {athome}.",
                "Soon they were playing {game}, and {friend} was laughing [loudly|out loud].",
            ],
            [
                "When it was time to go, {friend} asked, \"Will you come back tomorrow?\"",
                "From then on, {hero} and {friend} [met every day|were best friends|played together every day].",
                "That night, {friend} told {friend.his} mom, \"I have a friend now!\"",
            ],
        ],
        Pirate =
        [
            [
                "A new mate named {friend} had no crew at all.",
                "{Friend} be a lonely sailor on a strange sea.",
            ],
            [
                "\"Join me crew!\" roared {captain}, an' they played {game} on the deck!",
                "{Captain} took {friend} aboard, an' they {jig}!",
                "\"Be me matey!\" said {captain}, an' they sailed as one crew!",
            ],
        ],
    };
}
