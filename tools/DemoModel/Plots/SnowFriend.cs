using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A snowman needs something, and gets it.</summary>
internal static class SnowFriend
{
    public static readonly Plot Plot = new()
    {
        Name = "snow-friend",
        Roles =
        [
            ("need", ["hat", "scarf", "broom", "coat"]),
        ],
        Openings =
        [
            "It had snowed all night, and {hero} ran outside with {friend}.",
            "One cold morning, {hero} and {friend} [made|built] a snowman.",
            "{Hero} and {friend} looked out of the window, and everything was white with snow.",
        ],
        Plain =
        [
            [
                "{He} and {friend} rolled [three|two] big balls of snow and made [a round|a fat|a tall] snowman {place.in}.",
                "They worked until their hands were cold, and then a [big|fine|fat] snowman stood in the snow.",
            ],
            [
                "But the snowman had no {need}, and he looked [a little sad|cold|lonely].",
                "\"Something is missing,\" said {hero}, \"our snowman has no {need}!\"",
            ],
            [
                "{Friend} looked in {friend.his} pockets, but they were empty.",
                "They looked all around, but there was only snow.",
                "",
            ],
            [
                "Then {hero} had an idea, ran home, and came back with a(n) {color} {need}.",
                "{Hero}'s {elder} [smiled|laughed] and gave them a(n) {color} {need}.",
                "Just then, a(n) {animal} came by, and next to it in the snow lay a(n) {color} {need}.",
            ],
            [
                "Now the snowman looked [perfect|very happy], and the children danced around him.",
                "They gave it to the snowman, and it seemed that he [smiled|winked] at them.",
            ],
            [
                "\"Please don't melt,\" said {hero}, and {he} waved to the snowman all the way home.",
                "Then they went inside and drank hot [milk|cocoa] by the fire.",
                "The snowman stood there until spring, and everyone who came by said hello.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "They made a snow pirate, but the lubber had no {need}.",
                "A snow captain stood on deck without a(n) {need}.",
            ],
            [
                "{Captain} gave him a(n) {color} {need}, an' the {crew} {jig}!",
                "{Friend} found a(n) {color} {need}, an' the snow pirate be ready to sail!",
            ],
        ],
    };
}
