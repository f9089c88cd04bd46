using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Plots;

/// <summary>Every plot; a new one takes a file of its own and a line here.</summary>
internal static class AllPlots
{
    public static readonly Plot[] List =
    [
        LostToy.Plot,
        StuckInTree.Plot,
        HurtAnimal.Plot,
        SharedFood.Plot,
        PlantedSeed.Plot,
        RainyDay.Plot,
        NoiseAtNight.Plot,
        BrokenThing.Plot,
        ShyNewChild.Plot,
        NewSkill.Plot,
        FoundThing.Plot,
        BirthdaySurprise.Plot,
        BakingTrouble.Plot,
        LostPet.Plot,
        RiverCrossing.Plot,
        SnowFriend.Plot,
    ];
}
