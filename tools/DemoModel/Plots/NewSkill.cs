using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Something is hard, is practised, and then goes well.</summary>
internal static class NewSkill
{
    public static readonly Plot Plot = new()
    {
        Name = "new-skill",
        Roles =
        [
            ("skill", ["ride a bike", "swim", "skate", "whistle a tune", "climb the big rock", "do a handstand", "jump over the stream"]),
        ],
        Openings =
        [
            "{Hero} wanted to learn to {skill}.",
            "All of {hero}'s friends could {skill}, but {hero} could not.",
            "{When}, {hero} told {his} {elder} that {he} wanted to {skill}.",
        ],
        Plain =
        [
            [
                "{He} tried [once|two times|three times], but it was [much |]too hard.",
                "The first time {he} tried, it went all wrong.",
                "It looked so easy, but when {he} tried, {he} [could not do it|did it all wrong].",
            ],
            [
                "\"I will never learn it,\" {he} said, and {he} [sat down on the ground|kicked a stone|wanted to go home].",
                "{He} was {sad} and wanted to give up.",
                "Some of the other children laughed, and {his} face turned red.",
                "",
            ],
            [
                "\"Nobody can do it on the first day,\" said {his} {elder}, \"so try again.\"",
                "Then {friend} said, \"I needed a long time too, and I can help you.\"",
                "Then {friend} came over and showed {him} how to do it, step by step.",
            ],
            [
                "So {hero} tried again and again, every day for [a week|two weeks].",
                "{Hero} practiced every [morning|day], and each time it went a little better.",
            ],
            [
                "Then, one [fine|sunny|rainy] day, {he} did it!",
                "And then it happened: {hero} could {skill} all by {himself}!",
                "At last, {he} could {skill}, and everyone [clapped|cheered].",
            ],
            [
                "\"Look at me!\" {he} shouted, and {he} felt as tall as a tree.",
                "{Hero} learned that you must not give up when something is hard.",
                "{He} was so proud that {he} [told everyone|could not stop smiling].",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} fell flat on the deck, but never gave up the ship.",
                "It be hard as a cannon ball, but {captain} tried again.",
                "\"No pirate gives up!\" roared {captain}.",
            ],
            [
                "Now {hero} be the best on the seven seas!",
                "At last {captain} did it, an' the {crew} {jig}!",
                "With help from {friend}, {captain} did it an' {jig}!",
            ],
        ],
    };
}
