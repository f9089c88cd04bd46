using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A noise in the dark frightens a child, and turns out to be a friend.</summary>
internal static class NoiseAtNight
{
    public static readonly Plot Plot = new()
    {
        Name = "noise-at-night",
        Roles =
        [
            ("noise", ["tap, tap, tap", "scratch, scratch", "bump, bump", "thump, thump"]),
            ("guest", ["gray cat", "black cat", "brown dog", "fluffy kitten", "playful puppy", "white rabbit", "orange cat"]),
            ("spot", ["under the bed", "behind the door", "in the closet", "behind the curtain", "near the window"]),
        ],
        Openings =
        [
            "One dark night, {hero} heard a noise {spot}.",
            "It was late, and {hero} [could not sleep|lay awake] because of a noise {spot}.",
            "{Hero} was in bed when [something|somebody] made a noise {spot}.",
        ],
        Plain =
        [
            [
                "It went \"{noise}\" and then it was quiet again.",
                "\"{Noise},\" it went, and {he} pulled the blanket over {his} head.",
                "{He} listened, and there it was again: \"{noise}!\"",
            ],
            [
                "{Hero} was [so scared|so afraid] that {he} held {his} {toy} [tight|close].",
                "\"[Who is there|Is it a monster]?\" {he} whispered, but nobody [answered|said a word].",
                "{His} heart beat fast, and {he} thought of [monsters|dragons|a big hungry bear].",
                "",
            ],
            [
                "But {hero} was brave, so {he} took a [lamp|light] and went to look.",
                "{He} called {his} {elder}, and they went to look together.",
                "At last, {he} took a deep breath and turned on the [lamp|light].",
            ],
            [
                "There, {spot}, sat {pet.name}, the {guest}, with a [ball|sock|shoe] in its mouth!",
                "It was only {pet.name}, the {guest}, playing with a [ball|sock|shoe]!",
                "Two bright eyes looked up at {him}, and out came {pet.name}, the {guest}!",
            ],
            [
                "{Hero} laughed and laughed, and {pet.name} jumped up on the bed.",
                "\"Silly {pet.name}, it was only you,\" said {hero}, and {he} was not afraid any more.",
                "{He} took {pet.name} into {his} bed, and soon they were both asleep.",
            ],
        ],
        Pirate =
        [
            [
                "\"A ghost be aboard!\" cried {captain}.",
                "{Captain} drew a sword, for a sea monster be near.",
                "\"Who be there?\" roared {captain} in the dark.",
            ],
            [
                "It be only {pet.name}, the {guest}, the best mate o' the crew!",
                "But 'twas {pet.name}, the {guest}, lookin' for grub!",
                "Out came {pet.name}, the {guest}, an' all the crew {jig}!",
            ],
        ],
    };
}
