using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>It seems that everybody forgot a birthday, but there is a party.</summary>
internal static class BirthdaySurprise
{
    public static readonly Plot Plot = new()
    {
        Name = "birthday-surprise",
        Roles =
        [
            ("hiding", ["in the garden", "in the kitchen", "in the barn", "behind the house"]),
            ("signal", ["a noise", "somebody laugh", "a soft song", "a whisper"]),
        ],
        Openings =
        [
            "It was {hero}'s birthday, but nobody said a word about it.",
            "{Hero} woke up early because it was {his} birthday.",
            "{Hero} thought that everyone had forgotten {his} birthday.",
        ],
        Plain =
        [
            [
                "{His} {elder} was [busy|in a hurry], and {friend} did not come to play.",
                "At breakfast, {his} {elder} only said, \"Please hurry up.\"",
                "{He} went to see {friend}, but nobody was at home.",
            ],
            [
                "{Hero} sat on the steps with {pet.name}, the {pet}, and felt {sad}.",
                "\"They all forgot me,\" {he} said to {pet.name}, the {pet}.",
                "{He} took a long walk {place.in} and felt {sad}.",
            ],
            [
                "Then {he} heard {signal} {hiding}, and {he} went to look.",
                "In the evening, {his} {elder} called, \"{Hero}, can you come and help me {hiding}?\"",
            ],
            [
                "\"Surprise!\" shouted {friend} and all {his} friends, and there were [balloons|flags] everywhere.",
                "There stood all {his} friends with [balloons|flags] and a big {food}!",
            ],
            [
                "{Friend} gave {him} a(n) {toy}, and it was just what {he} had wished for.",
                "There was a(n) {toy} from {friend}, and there were games {athome}.",
                "{He} opened a box from {friend}, and inside was a(n) {toy}.",
                "",
            ],
            [
                "\"You did not forget me,\" said {hero}, and {he} [smiled|laughed|danced with joy].",
                "It was the best birthday that {hero} had ever had.",
                "\"How could we forget you?\" said {his} {elder}, and gave {him} a hug.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Captain} be sulkin' on deck, for no mate said a word.",
                "\"Did me crew forget me?\" cried {captain}.",
                "No song, no grub, an' no loot for {captain}.",
            ],
            [
                "Then the {crew} jumped out with a(n) {food} an' {jig}!",
                "But {friend} an' the crew brought a(n) {toy} as treasure!",
                "Then the cannons went boom, an' the {crew} {jig}!",
            ],
        ],
    };
}
