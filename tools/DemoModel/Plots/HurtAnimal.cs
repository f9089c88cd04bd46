using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A child finds a hurt animal and cares for it until it is well.</summary>
internal static class HurtAnimal
{
    public static readonly Plot Plot = new()
    {
        Name = "hurt-animal",
        Roles =
        [
            ("patient", ["bird", "duck", "owl", "rabbit", "mouse", "squirrel", "fox"]),
            ("size", ["little", "tiny", "small", "young"]),
            ("part", ["leg", "foot"]),
            ("bed", ["box", "basket"]),
        ],
        Openings =
        [
            "{When}, {hero} found a(n) {size} {patient} {place.in}.",
            "{Hero} was walking {place.in} when {he} [saw|met] a(n) {size} {patient}.",
            "{When}, {hero} heard a(n) {size} {patient} crying {place.in}.",
        ],
        Plain =
        [
            [
                "It had a hurt {part} and could not [move|walk|stand up].",
                "Its {part} was hurt, and it [looked up at {him} with sad eyes|was too weak to stand].",
                "It lay in the grass with a sore {part} and [shook with fear|did not move].",
            ],
            [
                "\"Don't be afraid,\" [said|whispered] {hero}, \"I will help you.\"",
                "{Hero} [picked it up|lifted it] very gently and carried it home.",
                "{He} wrapped it in {his} [{color} scarf|warm coat|soft sweater] and took it home.",
            ],
            [
                "{His} {elder} put a bandage on its {part}, and they made a [soft|warm] bed for it in a(n) {bed}.",
                "At home, {he} and {his} {elder} gave it [food and water|water and bread] and let it sleep in a(n) {bed}.",
            ],
            [
                "Every day, the {patient} got [a little stronger|better and better].",
                "{Hero} [fed it|sat with it|sang to it] every [day|morning|night], and soon its {part} was well again.",
                "After [a week|two weeks|many days], the {patient} could [run|jump|hop] around the room.",
                "",
            ],
            [
                "Then {he} took it back to {place}, and it [looked back|turned around] one last time to say thank you.",
                "{Hero} was a little sad to let it go, but {he} knew that it was happy to be free.",
                "The {patient} went home to its family, but it [often came back|came back every spring] to visit {hero}.",
            ],
        ],
        Pirate =
        [
            [
                "The wee {patient} had a bad {part}, so {captain} took it aboard the ship.",
                "The {patient}'s {part} be hurt, an' it had no crew.",
                "The poor {patient} could not walk the plank on one {part}.",
            ],
            [
                "Soon it be well, an' the {crew} {jig}!",
                "{Captain} fed it well, an' now it sails the seven seas!",
                "{Captain} gave it a bed in a(n) {bed}, an' soon it be strong!",
            ],
        ],
    };
}
