namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>Phrases that many plots share; each use draws anew.</summary>
internal static class Phrases
{
    public static readonly Dictionary<string, string[]> All = new(StringComparer.Ordinal)
    {
        ["when"] = ["one day", "one sunny day", "one morning", "one bright morning", "one warm afternoon", "one Sunday", "early one morning"],
        ["sad"] = ["sad", "very sad", "so sad", "upset"],
        ["happy"] = ["happy", "very happy", "so happy", "full of joy"],
        ["thanks"] = ["Thank you", "Thank you so much", "Oh, thank you"],
        ["smiled"] = ["smiled", "laughed", "clapped {his} hands", "jumped for joy", "danced with joy"],
        ["athome"] = ["until the sun went down", "until it was time to go home", "all afternoon", "until the stars came out"],
        ["arr"] = ["Arr!", "Arr, matey!", "Arr, mateys!", "Arr, me hearties!", "Ahoy, mateys!", "Shiver me timbers!"],
        ["yoho"] = ["Yo ho ho!", "Yo ho ho!", "Aye, matey!", "Aye, mateys!", "Arr!", "Hoist the sails!"],
        ["captain"] = ["Captain {hero}", "Captain {hero}", "brave Captain {hero}", "the captain"],
        ["crew"] = ["crew", "brave crew", "whole crew"],
        ["jig"] = ["danced a jig", "danced a jig on deck", "sang a sea song", "raised the pirate flag"],
    };
}
