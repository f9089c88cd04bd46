using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>A pet runs away and is found.</summary>
internal static class LostPet
{
    public static readonly Plot Plot = new()
    {
        Name = "lost-pet",
        Roles =
        [
            ("gap", ["open gate", "hole in the fence", "gap in the hedge"]),
            ("hideout", ["in an old barn", "under a bridge", "behind the shed", "in a hollow tree", "under a bush"]),
            ("reason", ["a baby bird", "three tiny kittens", "a lost puppy", "a little mouse", "a hurt duck"]),
        ],
        Openings =
        [
            "{Hero} was playing with a(n) {pet} named {pet.name}.",
            "{When}, {hero} went to feed {his} {pet}, {pet.name}.",
            "{When}, {hero} took {his} {pet}, {pet.name}, to {place}.",
        ],
        Plain =
        [
            [
                "But {pet.name} [ran|slipped] away through a(n) {gap}.",
                "But then {pet.name} was gone, and {hero} saw a(n) {gap}.",
            ],
            [
                "\"{Pet.name}! Where are you?\" {hero} called, but [nobody came|it was quiet].",
                "{Hero} was {sad}, because {he} loved {pet.name} more than anything.",
                "{Hero} asked {his} {elder} and {friend}, but nobody had seen {pet.name}.",
                "",
            ],
            [
                "{Friend} pointed at small tracks in the mud, and they followed them together.",
                "Then {he} saw tracks in the [mud|sand] and followed them for a long time.",
                "{He} looked everywhere with {friend}, and then they heard a soft [sound|noise].",
            ],
            [
                "There was {pet.name}, {hideout}, lying next to {reason}!",
                "{Hideout}, they found {pet.name}, who was keeping {reason} warm!",
                "{Pet.name} was {hideout} and was taking care of {reason}!",
            ],
            [
                "\"So that is why you ran away,\" said {hero}, and {he} hugged {pet.name}.",
                "{Hero} was so glad that {he} could not be angry.",
                "\"Good {pet.noun},\" said {hero}, \"you wanted to help.\"",
            ],
            [
                "They took them all home and gave them [milk and bread|food and water|a warm bed].",
                "That night, {pet.name} slept at the foot of {hero}'s bed.",
                "",
            ],
        ],
        Pirate =
        [
            [
                "{Pet.name} jumped ship, an' {captain} be weepin'.",
                "But {pet.name} left the ship, so {captain} set sail.",
                "{Captain} lost {pet.name}, the best mate on the seven seas.",
            ],
            [
                "{Hideout} sat {pet.name}, guardin' {reason}!",
                "They found {pet.name} {hideout}, an' all the crew {jig}!",
            ],
        ],
    };
}
