//! Files that are right by themselves and wrong beside others (fault 25).

use super::*;

fn named(base: &str, id: &str) -> ProfileText {
    let text = base.replace("id = \"probe\"", &format!("id = \"{id}\""));
    ProfileText::from_file(format!("{id}.toml"), text.into_bytes())
}

/// Fault 25.
#[test]
fn two_readers_alike_are_both_refused() {
    let catalog = ProfileCatalog::shipped().with_local(&[named(READER, "one"), named(READER, "two")]);
    assert_eq!(catalog.errors().len(), 2, "{:?}", catalog.errors());
    assert!(catalog.errors().iter().all(|error| error.fault.rule == Rule::Ambiguous));
    assert_eq!(catalog.find_reader(&linux("Probe 00 00")).unwrap().id.as_str(), "generic-ccid");
}

/// Fault 25. Pairs of readers' profiles, each as its lines under `[match]` and its samples, and what both fit, if anything.
#[test]
fn readers_are_alike_if_something_fits_both_with_the_same_rank() {
    let reader = |id: &str, (matching, samples): (&str, &str)| {
        let head = READER.split("[match]").next().unwrap();
        let text = format!("{head}[match]\n{matching}\n[[slot]]\nrole = \"contactless\"\n[tests]\n{samples}");
        named(&text, id)
    };
    let sample = |os: &str| format!("name = [{{ os = \"{os}\", name = \"Probe 00 00\", role = \"contactless\" }}]");
    let (linux, windows) = (sample("linux"), sample("windows"));
    let (usb, other) = ("usb = [\"1234:0001\"]", "usb = [\"1234:0002\"]");
    let names = "names = [{ regex = \"^Probe \" }]";
    let with = |parts: &[&str]| parts.join("\n");
    let old = with(&[usb, names, "bcd_device = \"<0x0300\""]);
    let new = with(&[usb, names, "bcd_device = \">=0x0100\""]);
    let newer = with(&[usb, names, "bcd_device = \">=0x0300\""]);
    let text = with(&[usb, names, "firmware_text = \"^v1\""]);
    let texts = format!("{linux}\nfirmware_texts = [\"v1.2\"]");
    let (both, others) = (with(&[usb, names]), with(&[other, names]));
    let sooner = with(&[usb, "names = [{ regex = \"^Probe 00\" }]"]);
    let cases: [((&str, &str), (&str, &str), Option<&str>); 13] = [
        ((usb, ""), (usb, ""), Some("the USB id 1234:0001")),
        ((usb, &linux), (usb, &linux), Some("the USB id 1234:0001")),
        ((usb, ""), ("usb = [\"1234:0002\", \"1234:0001\"]", ""), Some("the USB id 1234:0001")),
        ((usb, ""), (other, ""), None),
        ((&both, &linux), (&both, &linux), Some("the USB id 1234:0001")),
        // Where the system tells the USB id, it decides; elsewhere only the name is left.
        ((&both, &linux), (&others, &linux), None),
        ((&both, &windows), (&others, &windows), Some("the name `Probe 00 00`, and where the system does not tell")),
        // The longer expression wins, but not on a name that it does not fit.
        ((&both, &linux), (&sooner, &linux), None),
        ((usb, ""), (&both, &linux), Some("the USB id 1234:0001")),
        ((&old, &linux), (&new, &linux), Some("the USB id 1234:0001 with firmware 0x0100")),
        ((&old, &linux), (&newer, &linux), None),
        // A firmware known closer wins; two conditions of one each are alike.
        ((&both, &linux), (&old, &linux), None),
        ((&old, &linux), (&text, &texts), Some("the USB id 1234:0001")),
    ];
    for (one, two, what) in cases {
        let catalog = ProfileCatalog::shipped().with_local(&[reader("one", one), reader("two", two)]);
        let told: Vec<String> = catalog.errors().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), if what.is_some() { 2 } else { 0 }, "{one:?} {two:?} {told:?}");
        for (error, other) in told.iter().zip(["two", "one"]) {
            let what = what.unwrap_or_default();
            assert!(error.contains(&format!("`{other}` ({other}.toml:")) && error.contains(what), "{error}");
        }
    }
    // A higher priority ends it, and each fault leads to its own line.
    let higher = named(&READER.replace("[evidence]", "priority = 1\n[evidence]"), "two");
    assert!(ProfileCatalog::shipped().with_local(&[named(READER, "one"), higher]).errors().is_empty());
    let catalog = ProfileCatalog::shipped().with_local(&[reader("one", (usb, "")), reader("two", (usb, ""))]);
    let places: Vec<String> = catalog.errors().iter().map(teilhabe_terminal::profile::ProfileError::place).collect();
    assert_eq!(places, ["one.toml:12: match.usb", "two.toml:12: match.usb"]);
}

/// A copy of a shipped profile under another id is used in its place, which a technician is told.
#[test]
fn one_that_goes_before_a_shipped_one_is_noted() {
    let copy = shipped_text("readers/acr1252u.toml").replace("id = \"acr1252u\"", "id = \"copy\"");
    let catalog = ProfileCatalog::shipped().with_local(&[ProfileText::from_file("copy.toml", copy.into_bytes())]);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    let notes: Vec<String> = catalog.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["local copy goes before shipped acr1252u: both fit the USB id 072F:223B"]);
    let same = ProfileText::from_file("acr1252u.toml", shipped_text("readers/acr1252u.toml").into_bytes());
    assert!(ProfileCatalog::shipped().with_local(&[same]).notes().is_empty(), "the same id replaces it");
}

/// A card that could prove more is believed less where a profile of one's own comes first. The more specific one goes before
/// it in the same folder, so there nothing is lost.
#[test]
fn one_that_takes_a_card_from_a_better_method_is_noted() {
    let ndef = CARD.replace("method = \"uid\"", "method = \"ndef\"\nndef = { record = \"uri\", parameter = \"n\" }");
    let ndef = ndef.replace("atr = [{ value = \"3B80800101\" }]\nuid = { lengths = [7], reject_random = true }", "");
    let ndef = ndef.replace(
        "[[tests.atr]]\natr = \"3B80800101\"\nmatches = true",
        "[[tests.ndef]]\ntext = \"x?n=1\"\nnumber = \"1\"",
    );
    let ndef = ndef.replace("[action]", "[match.select]\naid = \"D2760000850101\"\n[action]");
    let local = named(&ndef, "one");
    let catalog = ProfileCatalog::shipped().with_local(std::slice::from_ref(&local));
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    let notes: Vec<String> = catalog.notes().iter().map(ToString::to_string).collect();
    let expected = "local one goes before shipped ntag424-sun: both fit the application D2760000850101; a card that is read by \
                    it counts level 1 instead of up to 3";
    assert_eq!(notes, [expected]);
    let sun = shipped_text("cards/ntag424-sun.toml").replace("priority = 20", "priority = 0");
    let beside = [local, ProfileText::from_file("ntag424-sun.toml", sun.into_bytes())];
    let catalog = ProfileCatalog::shipped().with_local(&beside);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    let Verdict::Probe(cards) = catalog.candidates(&atr("3B8180018080"), Interface::Contactless) else { panic!() };
    let ids: Vec<_> = cards.iter().map(|card| card.id.as_str()).collect();
    assert_eq!(ids[..2], ["ntag424-sun", "one"]);
}

#[test]
fn two_readers_alike_on_a_name_no_sample_shows_are_refused_when_it_is_seen() {
    let other = READER.replace("^Probe ", "^P[a-z]+").replace("Probe 00 00", "Parrot 0");
    let base = READER.replace("^Probe ", "^[A-Z]robe").replace("Probe 00 00", "Grobe 0");
    let catalog = ProfileCatalog::shipped().with_local(&[named(&base, "one"), named(&other, "two")]);
    // `^[A-Z]robe` is longer than `^P[a-z]+`, so it wins; a pattern of equal length does not.
    assert_eq!(catalog.find_reader(&linux("Probe")).unwrap().id.as_str(), "one");
    let base = base.replace("^[A-Z]robe", "^[G-P]ro");
    let catalog = ProfileCatalog::shipped().with_local(&[named(&base, "one"), named(&other, "two")]);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    let Err(Ambiguous { ids, .. }) = catalog.find_reader(&linux("Probe")) else { panic!("one of them was taken") };
    assert_eq!(ids.map(|id| id.to_string()), ["one", "two"]);
}

/// Fault 25.
#[test]
fn two_cards_alike_are_both_refused_and_priority_decides() {
    let catalog = ProfileCatalog::shipped().with_local(&[named(CARD, "one"), named(CARD, "two")]);
    assert_eq!(catalog.errors().len(), 2, "{:?}", catalog.errors());
    let higher = CARD.replace("[evidence]", "priority = 5\n[evidence]");
    let catalog = ProfileCatalog::shipped().with_local(&[named(CARD, "one"), named(&higher, "two")]);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    let Verdict::Probe(cards) = catalog.candidates(&atr("3B80800101"), Interface::Contactless) else { panic!() };
    let ids: Vec<_> = cards.iter().map(|card| card.id.as_str()).collect();
    assert_eq!(ids, ["bik1", "bik1-phone", "two", "one"]);
}

#[test]
fn patterns_that_overlap_are_alike_even_if_no_sample_shows_it() {
    let one = CARD.replace("value = \"3B80800101\"", "value = \"3B80800100\", mask = \"FFFFFFFF0F\"");
    let one = one.replace("atr = \"3B80800101\"", "atr = \"3B80800110\"");
    let two = CARD.replace("value = \"3B80800101\"", "value = \"3B80800100\", mask = \"FFFFFFFFF0\"");
    let catalog = ProfileCatalog::shipped().with_local(&[named(&one, "one"), named(&two, "two")]);
    assert_eq!(catalog.errors().len(), 2, "{:?}", catalog.errors());
}

#[test]
fn two_files_with_one_id_are_both_refused() {
    let files = [("a/one.toml", READER), ("b/one.toml", READER)]
        .map(|(file, text)| ProfileText::from_file(file, text.replace("\"probe\"", "\"one\"").into_bytes()));
    let catalog = ProfileCatalog::shipped().with_local(&files);
    let told: Vec<String> = catalog.errors().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a/one.toml:4: id: b/one.toml:4 has the same id; both are disabled [profile_duplicate_id]",
            "b/one.toml:4: id: a/one.toml:4 has the same id; both are disabled [profile_duplicate_id]",
        ]
    );
}

#[test]
fn local_wins_over_update_wins_over_shipped() {
    let priority = READER.replace("^Probe ", "^ACS ACR122U PICC").replace("Probe 00 00", "ACS ACR122U PICC 00 00");
    let update = priority.replace("id = \"probe\"", "id = \"from-update\"\npriority = 100");
    let local = priority.replace("id = \"probe\"", "id = \"from-local\"");
    let seen = linux("ACS ACR122U PICC Interface 00 00");
    let catalog = ProfileCatalog::shipped().with_update(&[update]);
    assert_eq!(catalog.find_reader(&seen).unwrap().id.as_str(), "from-update");
    let local = ProfileText::from_file("from-local.toml", local.into_bytes());
    let catalog = catalog.with_local(&[local]);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    assert_eq!(catalog.find_reader(&seen).unwrap().id.as_str(), "from-local");
}

#[test]
fn the_fallbacks_can_be_replaced_but_not_taken_away() {
    let generic = shipped_text("readers/generic-ccid.toml").replace("max_le = 224", "max_le = 16");
    let catalog = ProfileCatalog::shipped().with_update(&[generic]);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    assert_eq!(catalog.find_reader(&linux("x")).unwrap().capability.max_le, 16);
    let reject = shipped_text("cards/fallback-unknown.toml").replace("class = \"unknown\"", "class = \"bank\"");
    let catalog = ProfileCatalog::shipped().with_update(&[reject]);
    assert_eq!(catalog.errors().len(), 1, "a fallback names no kind of card");
}
