namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>The words that roles are filled with. Kept few, so that 1,024 tokens spell most of them in one or two pieces.</summary>
internal static class Words
{
    public static readonly string[] Girls = ["Mia", "Lily", "Anna", "Ella", "Nora", "Zoe", "Emma", "Ruby", "Ivy", "Lucy", "Sara", "Amy"];

    public static readonly string[] Boys = ["Tom", "Ben", "Max", "Leo", "Sam", "Tim", "Jack", "Finn", "Oscar", "Noah", "Hugo", "Dan"];

    public static readonly string[] Women = ["mom", "grandma", "aunt"];

    public static readonly string[] Men = ["dad", "grandpa", "uncle"];

    public static readonly string[] Colors = ["red", "blue", "green", "yellow", "orange", "purple", "white", "pink"];

    public static readonly string[] Toys = ["ball", "kite", "doll", "drum", "toy boat", "toy car", "toy train", "teddy bear", "robot"];

    public static readonly string[] ToyLooks = ["red", "blue", "green", "yellow", "orange", "purple", "white", "new", "old", "little", "shiny"];

    public static readonly string[] Finds = ["key", "coin", "button", "ring", "bell", "whistle", "watch"];

    public static readonly string[] FindLooks = ["golden", "silver", "shiny", "tiny", "old", "odd", "pretty", "blue"];

    public static readonly string[] Bakes = ["cake", "pie", "muffin", "cookie", "bun"];

    public static readonly string[] Flavors = ["apple", "banana", "lemon", "cherry", "honey", "carrot", "berry", "orange", "nut"];

    public static readonly string[] Pets = ["dog", "cat", "puppy", "kitten", "rabbit", "duck", "goat", "lamb"];

    public static readonly string[] PetLooks = ["brown", "black", "white", "gray", "small", "fluffy", "young", "orange", "playful"];

    public static readonly string[] PetNames = ["Biscuit", "Pepper", "Coco", "Spot", "Patch", "Ginger"];

    public static readonly string[] Animals = ["fox", "owl", "bear", "frog", "squirrel", "bird", "mouse", "turtle", "deer", "crow", "otter"];

    public static readonly string[] AnimalLooks = ["kind", "wise", "old", "little", "gray", "brown", "friendly", "gentle", "clever"];

    /// <summary>Places out of doors, with the word that says "there".</summary>
    public static readonly (string In, string Place)[] Places =
    [
        ("in", "park"), ("in", "garden"), ("in", "forest"), ("in", "meadow"), ("in", "woods"), ("in", "field"),
        ("at", "beach"), ("at", "playground"), ("at", "farm"), ("on", "hill"), ("by", "river"), ("by", "lake"), ("by", "pond"),
    ];
}
