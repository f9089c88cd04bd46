using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Rain spoils the plan, and a game indoors makes it a good day.</summary>
internal static class RainyDay
{
    public static readonly Plot Plot = new()
    {
        Name = "rainy-day",
        Roles =
        [
            ("craft", ["fort", "castle", "tent", "ship", "rocket", "train", "house"]),
            ("stuff", ["blankets and chairs", "pillows and chairs", "big boxes", "old boxes and string"]),
        ],
        Openings =
        [
            "{Hero} wanted to go to {place}, but [it was raining hard|it rained all day].",
            "It was a rainy day, and {hero} had to stay at home.",
            "{Hero} looked out of the window and saw [only rain|big drops of rain|a dark sky and rain].",
        ],
        Plain =
        [
            [
                "\"There is nothing to do,\" {he} said, and {he} put {his} chin in {his} hands.",
                "{He} was {sad} because {he} could not [play outside|ride {his} bike|run in the grass].",
                "{He} watched the drops run down the [window|glass] and felt [bored|sad].",
            ],
            [
                "\"I have an idea,\" said {his} {elder}, \"let's build a(n) {craft}!\"",
                "Then {his} {elder} came in with some [tape|string] and asked, \"Shall we make a(n) {craft}?\"",
                "Then {friend} came to the door with a(n) {color} umbrella and said, \"Let's make a(n) {craft}!\"",
            ],
            [
                "They took {stuff} and worked [together|for an hour] until the {craft} was as big as a [bed|table|car].",
                "They used {stuff}, and soon there was a [big|fine|wonderful] {craft} in the middle of the room.",
            ],
            [
                "{Hero} crawled inside with a [book|lamp|cookie] and [pretended|played] that {he} was [far away on the moon|on a long trip|lost in the jungle].",
                "Inside the {craft}, they shared a(n) {food} and told funny stories.",
                "They sat inside and listened to the rain, and it sounded like [music|a soft song|little drums].",
            ],
            [
                "When the sun came out, {hero} did not even want to go outside.",
                "\"I hope it rains tomorrow too,\" said {hero} with a [smile|big smile].",
                "It was the best rainy day that {he} had ever had.",
            ],
        ],
        Pirate =
        [
            [
                "A storm be no trouble for {captain} an' the {crew}.",
                "The storm be wild, so {captain} stayed below the deck.",
                "\"Rain be good for pirates!\" said {captain}.",
            ],
            [
                "They built a(n) {craft} from {stuff} an' sailed away!",
                "With {stuff} they made a(n) {craft} an' {jig}!",
            ],
        ],
    };
}
