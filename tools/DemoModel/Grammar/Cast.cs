namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>Who and what one story is about: every role is drawn once, so that the same kite is lost and found.</summary>
internal sealed class Cast
{
    private readonly Dictionary<string, string> _roles = new(StringComparer.Ordinal);

    public Cast(Plot plot, SplitMix64 random)
    {
        bool girl = random.Below(2) == 0;
        AddPerson("hero", random.Pick(girl ? Words.Girls : Words.Boys), girl);

        // The friend is of the other gender, so that "he" and "she" always tell them apart.
        AddPerson("friend", random.Pick(girl ? Words.Boys : Words.Girls), !girl);
        foreach (string form in (string[])["he", "him", "his", "himself"])
        {
            _roles.Add(form, _roles["hero." + form]);
        }

        bool woman = random.Below(2) == 0;
        AddPerson("elder", random.Pick(woman ? Words.Women : Words.Men), woman);
        AddThing("toy", random.Pick(Words.ToyLooks), random.Pick(Words.Toys));
        AddThing("find", random.Pick(Words.FindLooks), random.Pick(Words.Finds));
        AddThing("food", random.Pick(Words.Flavors), random.Pick(Words.Bakes));
        AddThing("pet", random.Pick(Words.PetLooks), random.Pick(Words.Pets));
        AddThing("animal", random.Pick(Words.AnimalLooks), random.Pick(Words.Animals));
        _roles.Add("pet.name", random.Pick(Words.PetNames));
        _roles.Add("color", random.Pick(Words.Colors));
        (string inside, string place) = random.Pick(Words.Places);
        _roles.Add("place", "the " + place);
        _roles.Add("place.in", $"{inside} the {place}");
        foreach ((string role, string[] choices) in plot.Roles)
        {
            _roles.Add(role, Template.Expand(random.Pick(choices), this, random));
        }
    }

    /// <summary>The words of a role, for example "pet.name", or null when there is no such role.</summary>
    public string? this[string role] => _roles.GetValueOrDefault(role);

    private void AddPerson(string role, string name, bool female)
    {
        _roles.Add(role, name);
        _roles.Add(role + ".he", female ? "she" : "he");
        _roles.Add(role + ".him", female ? "her" : "him");
        _roles.Add(role + ".his", female ? "her" : "his");
        _roles.Add(role + ".child", female ? "girl" : "boy");
        _roles.Add(role + ".himself", female ? "herself" : "himself");
    }

    private void AddThing(string role, string look, string noun)
    {
        _roles.Add(role, $"{look} {noun}");
        _roles.Add(role + ".noun", noun);
    }
}
