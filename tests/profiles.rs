//! The shipped profiles as a set, and faults 1 and 25: a profile that is wrong disables itself alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use data_encoding::HEXUPPER;
use proptest::prelude::*;
use teilhabe_terminal::{
    app::profile_folder,
    domain::reading::{Level, ReadFailure, Route},
    profile::{
        Action, Ambiguous, Atr, EvidenceStatus, Fault, Interface, Layer, MAX_TEXT_LEN, Method, Profile, ProfileCatalog,
        ProfileText, Sighting, SlotRole, System, Topic, UsbId, Verdict, load,
    },
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/firmware-profiles"))
}

fn atr(hex: &str) -> Atr {
    Atr::new(&HEXUPPER.decode(hex.as_bytes()).unwrap())
}

fn linux(name: &str) -> Sighting<'_> {
    Sighting { system: System::Linux, ..Sighting::named(name) }
}

fn shipped_text(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap()
}

mod the_shipped_set {
    use super::*;

    #[test]
    fn is_in_force_as_a_whole() {
        let catalog = ProfileCatalog::shipped();
        assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    }

    #[test]
    fn is_what_the_folder_holds() {
        let catalog = ProfileCatalog::shipped();
        let ids = |sub: &str| -> BTreeSet<String> {
            let names = fs::read_dir(folder().join(sub)).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.to_str().unwrap().strip_suffix(".toml").unwrap().to_owned()).collect()
        };
        assert_eq!(catalog.readers().map(|reader| reader.id.to_string()).collect::<BTreeSet<_>>(), ids("readers"));
        assert_eq!(catalog.cards().map(|card| card.id.to_string()).collect::<BTreeSet<_>>(), ids("cards"));
    }

    #[test]
    fn names_the_transcripts_it_rests_on() {
        let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
        let catalog = ProfileCatalog::shipped();
        let cards = catalog.cards().map(|card| (&card.id, &card.evidence));
        for (id, evidence) in catalog.readers().map(|reader| (&reader.id, &reader.evidence)).chain(cards) {
            assert!(!evidence.sources.is_empty(), "{id} names no source");
            for name in &evidence.transcripts {
                // A name that leads out of the folder would be no evidence.
                assert!(!name.contains(".."), "{id}: {name}");
                assert!(transcripts.join(name).is_file(), "{id}: {name}");
            }
        }
    }

    /// A card that counts as tested shows how it answers when all is well, when it is too old, and when it is torn away.
    #[test]
    fn calls_no_card_tested_without_three_transcripts() {
        for card in ProfileCatalog::shipped().cards() {
            if card.evidence.status == EvidenceStatus::Tested && card.method().is_some() {
                assert!(card.evidence.transcripts.len() >= 3, "{}", card.id);
            }
        }
    }

    #[test]
    fn knows_each_reader_by_its_names() {
        let catalog = ProfileCatalog::shipped();
        for reader in catalog.readers() {
            for sample in &reader.tests.names {
                let seen = Sighting { system: sample.os, ..Sighting::named(&sample.name) };
                let found = catalog.find_reader(&seen).unwrap();
                assert_eq!(found.slot_role(&sample.name), sample.role, "{}", sample.name);
                if reader.matching.bcd_device.is_none() {
                    assert_eq!(found.id, reader.id, "{}", sample.name);
                }
            }
        }
    }

    #[test]
    fn knows_each_reader_by_its_usb_id_alone() {
        let catalog = ProfileCatalog::shipped();
        for reader in catalog.readers().filter(|reader| reader.matching.bcd_device.is_none()) {
            for usb in &reader.matching.usb {
                let seen = Sighting { usb: Some(*usb), ..linux("Renamed Reader 00 00") };
                assert_eq!(catalog.find_reader(&seen).unwrap().id, reader.id);
            }
        }
    }

    #[test]
    fn takes_a_known_usb_id_for_truer_than_a_name() {
        let catalog = ProfileCatalog::shipped();
        let usb = Some(UsbId { vendor: 0x076B, product: 0x5022 });
        let borrowed = Sighting { usb, ..linux("ACS ACR122U PICC Interface 00 00") };
        assert_eq!(catalog.find_reader(&borrowed).unwrap().id.as_str(), "omnikey-5022");
    }

    #[test]
    fn tells_old_firmware_apart_where_the_driver_says_it() {
        let catalog = ProfileCatalog::shipped();
        let acr122u = Sighting {
            usb: Some(UsbId { vendor: 0x072F, product: 0x2200 }),
            ..linux("ACS ACR122U PICC Interface 00 00")
        };
        for (bcd_device, id) in
            [(Some(0x0203), "acr122u-old-fw"), (Some(0x0206), "acr122u"), (Some(0x0214), "acr122u"), (None, "acr122u")]
        {
            let found = catalog.find_reader(&Sighting { bcd_device, ..acr122u }).unwrap();
            assert_eq!(found.id.as_str(), id, "{bcd_device:04X?}");
        }
    }

    #[test]
    fn takes_a_reader_nobody_knows_as_generic() {
        let catalog = ProfileCatalog::shipped();
        for name in ["", "Acme Reader 00 00", "\u{202E}x", "ACS"] {
            let reader = catalog.find_reader(&linux(name)).unwrap();
            assert_eq!((reader.id.as_str(), reader.slot_role(name)), ("generic-ccid", SlotRole::Contactless), "{name}");
        }
        let unknown = Some(UsbId { vendor: 0xFFFF, product: 0xFFFF });
        let seen = Sighting { usb: unknown, ..linux("ACS ACR122U PICC Interface 00 00") };
        assert_eq!(catalog.find_reader(&seen).unwrap().id.as_str(), "generic-ccid");
    }

    #[test]
    fn does_not_use_what_is_known_to_be_useless() {
        let catalog = ProfileCatalog::shipped();
        let name = "SCM Micro SCL3711 Contactless Reader & NFC 00 00";
        let reader = catalog.find_reader(&linux(name)).unwrap();
        assert!(!reader.capability.pcsc && reader.slot_role(name) == SlotRole::Ignore);
        assert!(reader.messages.in_language(Topic::Unsupported, "uk").is_some(), "German is the text to fall back to");
    }

    /// Every ATR of the background tables, and what the terminal makes of it before it sends the card anything.
    /// Fault 20.
    #[test]
    fn gives_every_known_card_one_verdict() {
        let rejected = |failure| (Some(failure), &[][..]);
        let storage = |id: &'static [&'static str]| (None, id);
        let layer_4: (Option<ReadFailure>, &[&str]) = (None, &["bik1", "bik1-phone"]);
        let cases = [
            ("3B8F8001804F0CA000000306030001000000006A", storage(&["classic-uid"])),
            ("3B8F8001804F0CA0000003060300020000000069", storage(&["classic-uid"])),
            ("3B8F8001804F0CA0000003060300030000000068", storage(&["ultralight-uid"])),
            ("3B8F8001804F0CA00000030603003A0000000051", storage(&["ultralight-uid"])),
            ("3B8F8001804F0CA00000030603003D0000000056", storage(&["ultralight-uid"])),
            ("3B8F8001804F0CA000000306030026000000004D", storage(&["classic-uid"])),
            ("3B8F8001804F0CA000000306030036000000005D", storage(&["classic-uid"])),
            ("3B8F8001804F0CA000000306030037000000005C", storage(&["classic-uid"])),
            ("3B8F8001804F0CA0000003060B00140000000077", storage(&["icode-uid"])),
            ("3B8F8001804F0CA00000030611003B0000000042", rejected(ReadFailure::Foreign)),
            ("3B8F8001804F0CA00000030603FF08000000009C", storage(&["classic-uid"])),
            // The reader stopped at layer 3 although the card has layer 4.
            ("3B8F8001804F0CA00000030603FF2000000000B4", layer_4),
            ("3B8F8001804F0CA00000030603FF2800000000BC", layer_4),
            ("3B8180018080", (None, &["bik1", "bik1-phone", "ntag424-sun", "desfire-uid"])),
            ("3BD096FF81B1FE451F032E", rejected(ReadFailure::ForeignHealth)),
            ("3BD097FF81B1FE451F072B", rejected(ReadFailure::ForeignHealth)),
            ("3B858001300101303034", rejected(ReadFailure::ForeignHealth)),
            ("3B858001300101301014", rejected(ReadFailure::ForeignHealth)),
            ("3B8780018031B8738401E019", rejected(ReadFailure::ForeignIdentity)),
            ("3B8A80018031B8738401E082900006", rejected(ReadFailure::ForeignIdentity)),
            ("3B8A80018031F873F741E082900075", rejected(ReadFailure::ForeignIdentity)),
            ("3B8780018031C073D631C023", rejected(ReadFailure::ForeignBank)),
            ("3B8780018031C073D621C033", rejected(ReadFailure::ForeignBank)),
            ("3B8580015A4356445659", rejected(ReadFailure::ForeignTransit)),
            ("3B8980014D54434F537302020439", rejected(ReadFailure::ForeignTransit)),
            ("3B8E80015644562D4B412049443337204A341B", rejected(ReadFailure::ForeignTransit)),
            // A phone, a Java Card, anything with layer 4.
            ("3B80800101", layer_4),
        ];
        let catalog = ProfileCatalog::shipped();
        for (hex, (failure, ids)) in cases {
            let interface = if hex.starts_with("3BD0") { Interface::Contact } else { Interface::Contactless };
            match catalog.candidates(&atr(hex), interface) {
                Verdict::Reject(card) => {
                    let Action::Reject { class } = card.action else { panic!("{} does not reject", card.id) };
                    assert_eq!(Some(class.failure()), failure, "{hex}");
                }
                Verdict::Probe(cards) => {
                    assert_eq!(cards.iter().map(|card| card.id.as_str()).collect::<Vec<_>>(), ids, "{hex}");
                }
            }
        }
    }

    /// Fault 1: a card with a malformed ATR is a card like any other: it is probed by SELECT.
    #[test]
    fn probes_a_malformed_atr_by_select() {
        let catalog = ProfileCatalog::shipped();
        let (ones, too_long) = ("FF".repeat(33), format!("3B{}", "FF".repeat(33)));
        let malformed =
            ["3B8180018081", "3B81800180", "3B8080", "3BFF", "3B8080010100", "", "3F", "00", &ones, &too_long];
        for hex in malformed {
            assert!(atr(hex).structure().is_err(), "{hex}");
            for interface in [Interface::Contact, Interface::Contactless] {
                let Verdict::Probe(cards) = catalog.candidates(&atr(hex), interface) else {
                    panic!("{hex} is rejected")
                };
                assert!(cards.iter().all(|card| card.matching.select.is_some()), "{hex}");
            }
        }
    }

    #[test]
    fn never_reaches_above_what_a_method_proves() {
        for card in ProfileCatalog::shipped().cards() {
            let (level, route) = (card.max_level(), card.route());
            match card.method() {
                None => assert_eq!((level, route), (Level::TYPED, None), "{}", card.id),
                Some(Method::Bik1) if card.is_phone() => {
                    assert_eq!((level, route), (Level::PROVEN, Some(Route::Phone)));
                }
                Some(Method::Bik1) => assert_eq!((level, route), (Level::PROVEN, Some(Route::Chip))),
                Some(Method::Ntag424Sun) => assert_eq!((level, route), (Level::SYMMETRIC, Some(Route::Chip))),
                Some(_) => assert_eq!((level, route), (Level::SEEN, Some(Route::Uid)), "{}", card.id),
            }
        }
    }

    #[test]
    fn has_a_digest_per_pair_of_profiles() {
        let catalog = ProfileCatalog::shipped();
        let readers: Vec<_> = catalog.readers().collect();
        let cards: Vec<_> = catalog.cards().collect();
        let digests: BTreeSet<_> =
            readers.iter().flat_map(|reader| cards.iter().map(|card| ProfileCatalog::digest(reader, card).0)).collect();
        assert_eq!(digests.len(), readers.len() * cards.len());

        let reader = shipped_text("readers/acr122u.toml").into_bytes();
        let card = shipped_text("cards/bik1.toml").into_bytes();
        let sha256 = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let expected = sha256(&[sha256(&reader).as_ref(), sha256(&card).as_ref()].concat());
        let find = |id| catalog.readers().find(|reader| reader.id.as_str() == id).unwrap();
        let bik1 = catalog.cards().find(|card| card.id.as_str() == "bik1").unwrap();
        assert_eq!(ProfileCatalog::digest(find("acr122u"), bik1).0, expected.as_ref());
    }

    #[test]
    fn comes_with_templates_that_are_right() {
        for (name, id) in [("example.reader.toml", "my-reader"), ("example.card.toml", "my-card")] {
            let text = ProfileText::from_file(format!("{id}.toml"), shipped_text(name).into_bytes());
            let catalog = ProfileCatalog::shipped().with_local(&[text]);
            assert!(catalog.errors().is_empty(), "{name}: {:?}", catalog.errors());
        }
    }

    /// Every `key = ` at the beginning of a line of a shipped file or template stands in the README.
    #[test]
    fn uses_no_key_the_readme_does_not_explain() {
        let readme = shipped_text("README.md");
        let mut files = vec![folder().join("example.reader.toml"), folder().join("example.card.toml")];
        for sub in ["readers", "cards"] {
            files.extend(fs::read_dir(folder().join(sub)).unwrap().map(|entry| entry.unwrap().path()));
        }
        for path in files {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
                if key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
                    assert!(readme.contains(&format!("`{key}`")), "{}: {key}", path.display());
                }
            }
        }
    }
}

mod a_wrong_file {
    use super::*;

    const READER: &str = r#"
schema = 1
kind = "reader"
id = "probe"
title = "Probe"
vendor = "Probe"
model = "Probe"
[evidence]
status = "untested"
sources = ["none"]
[match]
names = [{ regex = "^Probe " }]
[[slot]]
role = "contactless"
[[tests.name]]
os = "linux"
name = "Probe 00 00"
role = "contactless"
"#;
    const CARD: &str = r#"
schema = 1
kind = "card"
id = "probe"
title = "Probe"
issuer_scope = ["de:*"]
[evidence]
status = "untested"
sources = ["none"]
[match]
atr = [{ value = "3B80800101" }]
uid = { lengths = [7], reject_random = true }
[action]
type = "identify"
[identify]
method = "uid"
[[tests.atr]]
atr = "3B80800101"
matches = true
"#;

    fn fault_of(text: &str) -> Result<(), (&'static str, Option<usize>, String)> {
        let text = ProfileText::from_file("probe.toml", text.as_bytes().to_vec());
        load(&text, Layer::Local)
            .map(drop)
            .map_err(|error| (error.fault.code(), error.line, error.key.unwrap_or_default()))
    }

    /// A right file, what is replaced in it, by what, and the code, line and key that must come of it.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a str, Option<usize>, &'a str);

    /// A number in a message: the expression is tried on the profile's own samples, and nothing else may have them.
    #[test]
    fn with_a_number_in_a_message_is_tried_on_its_samples() {
        const NDEF: &str = r#"
schema = 1
kind = "card"
id = "probe"
title = "Probe"
issuer_scope = ["de:*"]
[evidence]
status = "untested"
sources = ["none"]
[match]
select = { aid = "D2760000850101" }
[action]
type = "identify"
[identify]
method = "ndef"
ndef = { record = "uri", parameter = "n" }
[[tests.ndef]]
text = "https://example.org/?n=4917"
number = "4917"
[[tests.ndef]]
text = "https://example.org/?n=1&n=2"
"#;
        assert_eq!(fault_of(NDEF), Ok(()));
        let select = "select = { aid = \"D2760000850101\" }";
        let cases = [
            ("number = \"4917\"", "number = \"4918\"", "profile_value", "tests.ndef.1"),
            ("n=1&n=2", "n=1", "profile_value", "tests.ndef.2"),
            ("number = \"4917\"\n", "", "profile_missing_key", "tests"),
            ("record = \"uri\"", "record = \"text\"", "profile_method", "identify.ndef"),
            ("parameter = \"n\"", "parameter = \"n\", regex = \"(4)\"", "profile_method", "identify.ndef"),
            (", parameter = \"n\"", "", "profile_method", "identify.ndef"),
            ("ndef = { record = \"uri\", parameter = \"n\" }\n", "", "profile_method", "identify.ndef"),
            (select, "uid = { lengths = [7], reject_random = true }", "profile_method", "match"),
        ];
        for (from, to, code, key) in cases {
            assert_eq!(NDEF.matches(from).count(), 1, "{from}");
            let (found, _, at) = fault_of(&NDEF.replace(from, to)).unwrap_err();
            assert_eq!((found, at.as_str()), (code, key), "{from} -> {to}");
        }
        let elsewhere = format!("{CARD}[[tests.ndef]]\ntext = \"4917\"\n");
        assert_eq!(fault_of(&elsewhere).unwrap_err().2, "tests.ndef");
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn is_refused_with_code_line_and_key() {
        assert_eq!(fault_of(READER), Ok(()));
        assert_eq!(fault_of(CARD), Ok(()));
        let escape = "[escape]\nfamily = \"acs-ff00\"\n";
        let bomb = "names = [{ regex = \"(((a{100}){100}){100}){100}\" }]";
        let signal = |list: &str| format!("{escape}[signals]\naccept = {list}\n[[slot]]");
        let (raw, spaced, numbers, verb) = (
            signal(r#"["FF00400D0400000000"]"#),
            signal(r#"["FF 00 40 0D"]"#),
            signal("[255, 0, 64]"),
            signal(r#"["explode"]"#),
        );
        let expressions = "[[slot]]\nname_regex = \"^Probe\"\nrole = \"sam\"\n".repeat(32) + "[[slot]]\n";
        let many = format!("[messages.de]\nreplug = \"{}\"\n[[slot]]", "x".repeat(301));
        let cases: [Case<'_>; 39] = [
            (READER, "schema = 1", "schema = 2", "profile_schema", Some(2), "schema"),
            (READER, "schema = 1\n", "", "profile_schema", None, "schema"),
            (READER, "schema = 1", "schema = \"1\"", "profile_schema", Some(2), "schema"),
            (READER, "kind = \"reader\"", "kind = \"printer\"", "profile_kind", Some(3), "kind"),
            (READER, "id = \"probe\"", "id = \"../probe\"", "profile_id", Some(4), "id"),
            (READER, "id = \"probe\"", "id = \"other\"", "profile_file_name", Some(4), "id"),
            (READER, "title = \"Probe\"\n", "", "profile_missing_key", None, "title"),
            (READER, "vendor =", "wendor =", "profile_unknown_key", Some(6), "wendor"),
            (
                READER,
                "[[slot]]",
                "[capability]\nmax_lee = 1\n[[slot]]",
                "profile_unknown_key",
                Some(14),
                "capability.max_lee",
            ),
            (
                READER,
                "[[slot]]",
                "[quirk]\nflags = [\"lazy\"]\n[[slot]]",
                "profile_unknown_word",
                Some(14),
                "quirk.flags.1",
            ),
            (
                READER,
                "role = \"contactless\"\n[[tests",
                "role = \"sideways\"\n[[tests",
                "profile_unknown_word",
                Some(14),
                "slot.1.role",
            ),
            (READER, "[[slot]]", &raw, "profile_raw_bytes", Some(16), "signals.accept.1"),
            (READER, "[[slot]]", &spaced, "profile_raw_bytes", Some(16), "signals.accept.1"),
            (READER, "[[slot]]", &numbers, "profile_raw_bytes", Some(16), "signals.accept.1"),
            (READER, "[[slot]]", &verb, "profile_unknown_word", Some(16), "signals.accept"),
            (
                READER,
                "[[slot]]",
                "[signals]\naccept = [\"beep:100\"]\n[[slot]]",
                "profile_value",
                Some(14),
                "signals.accept",
            ),
            (READER, "^Probe ", "^Prove ", "profile_pattern_without_sample", Some(12), "match.names.1.regex"),
            (READER, "^Probe ", "(", "profile_pattern", Some(12), "match.names.1.regex"),
            (READER, "names = [{ regex = \"^Probe \" }]", bomb, "profile_pattern", Some(12), "match.names.1.regex"),
            (READER, "names = [{ regex = \"^Probe \" }]\n", "", "profile_matches_everything", Some(11), "match"),
            (
                READER,
                "name = \"Probe 00 00\"\nrole = \"contactless\"",
                "name = \"Probe 00 00\"\nrole = \"sam\"",
                "profile_sample",
                Some(18),
                "tests.name.1.role",
            ),
            (
                READER,
                "[[slot]]",
                "[capability]\nmax_le = 257\n[[slot]]",
                "profile_value",
                Some(14),
                "capability.max_le",
            ),
            (READER, "[[slot]]", "[timing]\npoll = 60001\n[[slot]]", "profile_value", Some(14), "timing.poll"),
            (READER, "[[slot]]", &many, "profile_value", Some(13), "messages.de"),
            (READER, "[[slot]]\n", &expressions, "profile_value", Some(107), "slot.32.name_regex"),
            (READER, "[match]", "[match", "profile_syntax", Some(11), ""),
            (CARD, "method = \"uid\"", "method = \"telepathy\"", "profile_unknown_word", Some(16), "identify.method"),
            (CARD, "method = \"uid\"", "method = \"piv-9e\"", "profile_unknown_word", Some(16), "identify.method"),
            (
                CARD,
                "method = \"uid\"",
                "method = \"uid\"\nkey_a = \"FFFFFFFFFFFF\"",
                "profile_key_material",
                Some(17),
                "identify.key_a",
            ),
            (CARD, "title = \"Probe\"", "title = \"A0A1A2A3A4A5\"", "profile_key_material", Some(5), "title"),
            (
                CARD,
                "method = \"uid\"",
                "method = \"uid\"\nsteps = [\"FF82000006000000000000\"]",
                "profile_key_material",
                Some(17),
                "identify.steps.1",
            ),
            (
                CARD,
                "method = \"uid\"",
                "method = \"uid\"\n[auth]\nmethod = \"uid\"\nmax_level = 4",
                "profile_level",
                Some(19),
                "auth.max_level",
            ),
            (
                CARD,
                "method = \"uid\"",
                "method = \"uid\"\n[auth]\nmethod = \"uid\"\nmax_level = 9",
                "profile_level",
                Some(19),
                "auth.max_level",
            ),
            (CARD, "[identify]\nmethod = \"uid\"\n", "", "profile_method", Some(13), "action"),
            (
                CARD,
                "type = \"identify\"",
                "type = \"reject\"\nclass = \"bank\"",
                "profile_method",
                Some(16),
                "identify",
            ),
            (
                CARD,
                "reject_random = true",
                "reject_random = false",
                "profile_value",
                Some(12),
                "match.uid.reject_random",
            ),
            (CARD, "value = \"3B80800101\"", "value = \"3B808001\"", "profile_sample", Some(17), "tests.atr.1"),
            (
                CARD,
                "value = \"3B80800101\"",
                "value = \"3B80800101\", mask = \"FF\"",
                "profile_value",
                Some(11),
                "match.atr",
            ),
            (CARD, "de:*", "fr:*", "profile_value", Some(6), "issuer_scope"),
        ];
        let mut wrong = Vec::new();
        for (base, from, to, code, line, key) in cases {
            assert!(base.contains(from), "the case changes nothing: {from}");
            assert!(Fault::CODES.contains(&code));
            let found = fault_of(&base.replacen(from, to, 1));
            if found != Err((code, line, key.to_owned())) {
                wrong.push(format!("{to}\n    expected {code} {line:?} {key}, found {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What a technician reads: where it is wrong, what stands there and what to write, in plain words.
    #[test]
    fn is_told_in_plain_words() {
        let slot = |text: &str| format!("{text}\n[[slot]]");
        let signals = "[escape]\nfamily = \"acs-ff00\"\n[signals]\naccept = \"beep:100\"";
        let regex = |text: &str| format!("names = [{{ regex = {text} }}]");
        let names = "names = [{ regex = \"^Probe \" }]";
        let atr = "atr = [{ value = \"3B80800101\" }]\nuid = { lengths = [7], reject_random = true }";
        let cases: Vec<(&str, &str, String, &str)> = vec![
            (
                READER,
                "vendor =",
                "wendor =".into(),
                "probe.toml:6: wendor: the key `wendor` is not known here; is `vendor` meant?",
            ),
            (READER, "title = \"Probe\"\n", String::new(), "probe.toml: title: `title` is missing here"),
            (READER, "vendor = \"Probe\"\n", String::new(), "probe.toml: vendor: `vendor` is missing here"),
            (
                READER,
                "[evidence]\nstatus = \"untested\"\nsources = [\"none\"]\n",
                String::new(),
                "probe.toml: evidence: `evidence` is missing here",
            ),
            (
                READER,
                "sources = [\"none\"]\n",
                String::new(),
                "probe.toml:8: evidence.sources: `sources` is missing here",
            ),
            (
                READER,
                "[[slot]]\nrole = \"contactless\"",
                "[[slot]]\nindex = 0".into(),
                ": slot.1.role: `role` is missing here",
            ),
            (READER, "[[slot]]", slot("[quirk]\nflags = [\"no_wtc\"]"), "is `no_wtx` meant?"),
            (READER, "[[slot]]", slot(signals), "the text \"beep:100\" stands here; a list in [ ] is expected"),
            (READER, "[[slot]]", slot("[timing]\nconnect_retries = 300"), "a number from 0 to 255 is expected"),
            (
                READER,
                "[[slot]]",
                slot("[capability]\npcsc = \"yes\""),
                "the text \"yes\" stands here; true or false is expected",
            ),
            (READER, names, regex("\"^Probe \\[\""), "a backslash is written twice"),
            (READER, names, regex("\"^Probe\\b\""), "a backslash is written twice"),
            (READER, names, regex("\"^Probe [CL-7 PICC]\""), "a `[` that stands in the name itself is written `\\\\[`"),
            (READER, names, regex("\"^Probe [CL]\""), "for the same system; a `[` that stands in the name itself"),
            (READER, names, "bcd_device = \">=0x0100\"".into(), "add `usb` or `names`"),
            (CARD, atr, "interface = [\"contactless\"]".into(), "`interface` alone is not enough; add `atr`"),
            (CARD, atr, String::new(), "[match] holds no condition; add `atr`"),
            (CARD, "uid = { lengths", "get_version = 7\nuid = { lengths".into(), "the number 7 stands here; a table"),
            (
                CARD,
                "method = \"uid\"",
                "method = \"storage-read\"\nsteps = [{ op = \"read_block\", block = 4, len = 16 }]".into(),
                "storage-read needs both `steps` and `extract`; `extract` is missing",
            ),
            (CARD, "method = \"uid\"", "method = \"uid\"\nkey_a = \"00\"".into(), "delete this line"),
            (
                CARD,
                "method = \"uid\"",
                "method = \"uid\"\n[auth]\nmethod = \"uid\"\nmax_level = 4".into(),
                "above the method's ceiling, level 1; write 1 or leave it out",
            ),
        ];
        let mut wrong = Vec::new();
        for (base, from, to, told) in cases {
            assert!(base.contains(from), "the case changes nothing: {from}");
            let text = ProfileText::from_file("probe.toml", base.replacen(from, &to, 1).into_bytes());
            let found = load(&text, Layer::Local).map_or_else(|error| error.to_string(), |_| "nothing".to_owned());
            if !found.contains(told) {
                wrong.push(format!("{to}\n    expected {told}\n    found    {found}"));
            }
        }
        for nothing in ["", "  \n", "# only a comment\n"] {
            let text = ProfileText::from_file("probe.toml", nothing.as_bytes().to_vec());
            let found = load(&text, Layer::Local).unwrap_err();
            assert_eq!(found.to_string(), "probe.toml: the file is empty [profile_empty]");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn has_an_entry_in_the_run_book() {
        let book = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md")).unwrap();
        for code in Fault::CODES {
            assert_eq!(book.lines().filter(|line| *line == format!("### `{code}`")).count(), 1, "{code}");
        }
    }

    #[test]
    fn may_not_read_what_it_forbids_itself() {
        let reading = "method = \"desfire-read\"\nsteps = [{ op = \"select_application\", application = \"5F8415\" }, { op = \
                       \"read_file\", file = 1, len = 16 }]\nextract = { step = 2, slice = [0, 4], decode = \"uint-le\" }\n[[tests.read]]\nbytes = \"01000000\"\nnumber = \"1\"";
        let text = CARD.replace("method = \"uid\"", reading);
        assert_eq!(fault_of(&text), Ok(()));
        let forbidden = format!("{reading}\n[privacy]\nnever_read = [\"5F8415\"]");
        let text = CARD.replace("method = \"uid\"", &forbidden);
        assert_eq!(fault_of(&text).unwrap_err().0, "profile_never_read");
    }

    /// Payment applications by their schemes' identifiers, wherever an AID stands that is selected.
    #[test]
    fn may_not_name_a_payment_application() {
        let step = |aid: &str| {
            format!(
                "method = \"file-read\"\nsteps = [{{ op = \"select\", aid = \"{aid}\" }}, {{ op = \"read_binary\", sfi = 1, max = 16 }}]\n\
                 extract = {{ step = 2, slice = [0, 4], decode = \"hex\" }}\n[[tests.read]]\nbytes = \"49171234\"\nnumber = \"49171234\""
            )
        };
        let with_step = |aid: &str| CARD.replace("method = \"uid\"", &step(aid));
        let with_match = |aid: &str| CARD.replace("uid = {", &format!("select = {{ aid = \"{aid}\" }}\nuid = {{"));
        for aid in ["F042494B4152544502", "D2760000850102"] {
            assert_eq!((fault_of(&with_step(aid)), fault_of(&with_match(aid))), (Ok(()), Ok(())), "{aid}");
            let never = format!("[privacy]\nnever_read = [\"{aid}\"]\n[[tests.atr]]");
            for text in [with_step(aid), with_match(aid)] {
                assert_eq!(fault_of(&text.replace("[[tests.atr]]", &never)).unwrap_err().0, "profile_never_read");
            }
        }
        let payment = [
            "A0000000041010",
            "A0000003591010028001",
            "325041592E5359532E4444463031",
            "315041592E5359532E4444463031",
            "A000000003",
        ];
        for aid in payment {
            let (code, line, key) = fault_of(&with_step(aid)).unwrap_err();
            assert_eq!((code, line, key.as_str()), ("profile_payment", Some(17), "identify.steps.1"), "{aid}");
            let (code, line, key) = fault_of(&with_match(aid)).unwrap_err();
            assert_eq!((code, line, key.as_str()), ("profile_payment", Some(12), "match.select.aid"), "{aid}");
            let never = format!("[privacy]\nnever_read = [\"{aid}\"]\n[[tests.atr]]");
            assert_eq!(fault_of(&CARD.replace("[[tests.atr]]", &never)), Ok(()), "to forbid it is right");
        }
    }

    /// What a step brings is known beforehand, and so whether anything can be there.
    #[test]
    fn may_not_look_where_nothing_can_be() {
        let read = |steps: &str, extract: &str, sample: &str| {
            let method = if steps.contains("read_block") { "storage-read" } else { "desfire-read" };
            let identify = format!(
                "method = \"{method}\"\nsteps = [{steps}]\nextract = {{ step = 1, {extract} }}\n[[tests.read]]\n{sample}"
            );
            fault_of(&CARD.replace("method = \"uid\"", &identify)).map_err(|(code, _, key)| (code, key))
        };
        let block = "{ op = \"read_block\", block = 4, len = 16 }";
        let file = "{ op = \"read_file\", file = 1, len = 128 }";
        let (digits, hex) = ("slice = [0, 4], decode = \"ascii\"", "slice = [0, 4], decode = \"hex\"");
        let sample = |bytes: &str, number: &str| format!("bytes = \"{bytes}\"\nnumber = \"{number}\"");
        let right = sample("34393137", "4917");
        let (extract, reads) = ("identify.extract", "tests.read.1");
        let regex = |text: &str| format!("regex = \"{text}\", decode = \"ascii\"");
        let cases: [(&str, &str, &str, Option<(&str, &str)>); 19] = [
            (block, digits, &right, None),
            (block, hex, &right.replace("\"4917", "\"34393137"), None),
            (block, "slice = [12, 4], decode = \"ascii\"", &sample("00000000000000000000000034393137", "4917"), None),
            (block, "slice = [0, 32], decode = \"ascii\"", &right, Some(("profile_value", extract))),
            (block, "slice = [13, 4], decode = \"ascii\"", &right, Some(("profile_value", extract))),
            (block, "slice = [65535, 1], decode = \"ascii\"", &right, Some(("profile_value", extract))),
            (&block.replace("16", "4"), "slice = [0, 5], decode = \"ascii\"", &right, Some(("profile_value", extract))),
            (block, "slice = [0, 0], decode = \"ascii\"", &right, Some(("profile_value", extract))),
            // More digits than a number has, more bytes than a number is counted from.
            (file, "slice = [0, 33], decode = \"hex\"", &right, Some(("profile_value", extract))),
            (file, "slice = [0, 17], decode = \"uint-be\"", &right, Some(("profile_value", extract))),
            (file, &regex("NR=[0-9]+"), &right, Some(("profile_value", extract))),
            (file, &regex("NR=([0-9]+)"), &sample("4E523D343931370000", "4917"), None),
            (file, &regex("NR=([0-9]+)"), "bytes = \"34393137\"", Some(("profile_missing_key", "tests.read"))),
            (file, &regex("NR=([0-9]+)"), &right, Some(("profile_value", reads))),
            (block, digits, &sample("34393137", "4918"), Some(("profile_value", reads))),
            // Padding is no digit: a slice takes what stands there.
            (block, digits, &sample("34393100", "491"), Some(("profile_value", reads))),
            (block, digits, &sample("34", "4"), Some(("profile_value", reads))),
            (block, digits, &sample(&"34".repeat(17), "4444"), Some(("profile_value", reads))),
            (file, "tlv = [\"70\", \"5A\"], decode = \"bcd\"", &sample("70045A024917", "4917"), None),
        ];
        for (steps, extract, sample, expected) in cases {
            let expected = expected.map_or(Ok(()), |(code, key)| Err((code, key.to_owned())));
            assert_eq!(read(steps, extract, sample), expected, "{steps} {extract} {sample}");
        }
        let elsewhere = format!("{CARD}[[tests.read]]\nbytes = \"00\"\n");
        assert_eq!(fault_of(&elsewhere).unwrap_err().2, "tests.read");
    }

    /// What a file says of its own grounds has to be there.
    #[test]
    fn says_what_it_rests_on() {
        let evidence = |text: &str| {
            let found = fault_of(&CARD.replace("status = \"untested\"\nsources = [\"none\"]", text));
            found.map_err(|(code, line, key)| (code, line.unwrap(), key))
        };
        let fault = |line, key: &str| Err(("profile_value", line, key.to_owned()));
        let cases = [
            ("status = \"tested\"\nsources = [\"x\"]\ntranscripts = [\"probe/x.apdu\"]", Ok(())),
            ("status = \"tested\"\nsources = [\"x\"]", fault(8, "evidence.status")),
            ("status = \"untested\"\nsources = []", fault(9, "evidence.sources")),
            ("status = \"untested\"\nsources = [\" \"]", fault(9, "evidence.sources")),
            (
                "status = \"untested\"\nsources = [\"x\"]\ntranscripts = [\"../x.apdu\"]",
                fault(10, "evidence.transcripts"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(evidence(text), expected, "{text}");
        }
    }

    #[test]
    fn is_refused_unread_if_it_is_no_text() {
        let load = |bytes: Vec<u8>| load(&ProfileText::from_file("probe.toml", bytes), Layer::Local).unwrap_err().fault;
        assert_eq!(load(b"schema = 1\n\xFF".to_vec()), Fault::NotUtf8(12));
        assert_eq!(load(vec![b'#'; MAX_TEXT_LEN + 1]), Fault::TooLarge);
        assert_eq!(load(vec![b' '; 10 << 20]), Fault::TooLarge);
        assert!(matches!(load(vec![b'['; MAX_TEXT_LEN]), Fault::Syntax(_)), "deep nesting");
        assert!(matches!(load(format!("a = {}", "[".repeat(60_000)).into_bytes()), Fault::Syntax(_)));
        assert!(matches!(load(format!("a = {}", "{a=".repeat(20_000)).into_bytes()), Fault::Syntax(_)));
        assert!(matches!(load(vec![0; 100]), Fault::Syntax(_)));
    }

    #[test]
    fn is_told_with_nothing_that_could_turn_a_screen_round() {
        let text = READER.replace("vendor =", "\"\u{202E}wend\\u0007or\" =");
        let text = ProfileText::from_file("pr\u{202E}obe\n.toml", text.into_bytes());
        let error = load(&text, Layer::Local).unwrap_err();
        let shown = format!("{error}: {}", error.fault);
        assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202E}'), "{shown:?}");
    }

    #[test]
    fn leaves_everything_else_as_it_was() {
        let shipped = ProfileCatalog::shipped();
        let local = [ProfileText::from_file("bik1.toml", b"schema = 1".to_vec())];
        let catalog = shipped.clone().with_local(&local);
        assert_eq!(catalog.errors().len(), 1);
        assert!(catalog.readers().eq(shipped.readers()) && catalog.cards().eq(shipped.cards()));
        let catalog = shipped.clone().with_update(&["not a profile".to_owned()]);
        assert_eq!(catalog.errors()[0].file, "account document, profile 1");
        assert!(catalog.readers().eq(shipped.readers()) && catalog.cards().eq(shipped.cards()));
    }

    /// Read once: in a debug build it takes longer than what is tested with it.
    static SHIPPED: LazyLock<ProfileCatalog> = LazyLock::new(ProfileCatalog::shipped);

    proptest! {
        #[test]
        fn never_ends_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = load(&ProfileText::from_file("probe.toml", bytes), Layer::Local);
        }

        /// Right files with one piece overwritten reach much further than noise does.
        #[test]
        fn never_ends_the_program_however_little_is_wrong(
            card in any::<bool>(),
            at in any::<prop::sample::Index>(),
            cut in 0_usize..12,
            piece in "[a-zA-Z0-9\"\\[\\]{}=.,:\\\\^$*+()\n -]{0,12}",
        ) {
            let base = if card { CARD } else { READER };
            let from = at.index(base.len());
            let to = (from + cut).min(base.len());
            let text = format!("{}{piece}{}", &base[..from], &base[to..]);
            let text = ProfileText::from_file("probe.toml", text.into_bytes());
            let catalog = SHIPPED.clone().with_local(&[text]);
            let _ = catalog.report().to_string();
            let _ = catalog.find_reader(&linux("Probe 00 00"));
            let _ = catalog.candidates(&atr("3B80800101"), Interface::Contactless);
        }
    }

    mod in_company {
        use super::*;

        fn named(base: &str, id: &str) -> ProfileText {
            let text = base.replace("id = \"probe\"", &format!("id = \"{id}\""));
            ProfileText::from_file(format!("{id}.toml"), text.into_bytes())
        }

        #[test]
        fn two_readers_alike_are_both_refused() {
            let catalog = ProfileCatalog::shipped().with_local(&[named(READER, "one"), named(READER, "two")]);
            assert_eq!(catalog.errors().len(), 2, "{:?}", catalog.errors());
            assert!(catalog.errors().iter().all(|error| matches!(error.fault, Fault::Ambiguous { .. })));
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
            let sample =
                |os: &str| format!("name = [{{ os = \"{os}\", name = \"Probe 00 00\", role = \"contactless\" }}]");
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
                (
                    (&both, &windows),
                    (&others, &windows),
                    Some("the name `Probe 00 00`, and where the system does not tell"),
                ),
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
            let places: Vec<String> =
                catalog.errors().iter().map(teilhabe_terminal::profile::ProfileError::place).collect();
            assert_eq!(places, ["one.toml:12: match.usb", "two.toml:12: match.usb"]);
        }

        /// A copy of a shipped profile under another id is used in its place, which a technician is told.
        #[test]
        fn one_that_goes_before_a_shipped_one_is_noted() {
            let copy = shipped_text("readers/acr1252u.toml").replace("id = \"acr1252u\"", "id = \"copy\"");
            let catalog =
                ProfileCatalog::shipped().with_local(&[ProfileText::from_file("copy.toml", copy.into_bytes())]);
            assert!(catalog.errors().is_empty(), "{}", catalog.report());
            let notes: Vec<String> = catalog.notes().iter().map(ToString::to_string).collect();
            assert_eq!(notes, ["local copy goes before shipped acr1252u: both fit the USB id 072F:223B"]);
            let same = ProfileText::from_file("acr1252u.toml", shipped_text("readers/acr1252u.toml").into_bytes());
            assert!(ProfileCatalog::shipped().with_local(&[same]).notes().is_empty(), "the same id replaces it");
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
            let Err(Ambiguous { ids, .. }) = catalog.find_reader(&linux("Probe")) else {
                panic!("one of them was taken")
            };
            assert_eq!(ids.map(|id| id.to_string()), ["one", "two"]);
        }

        #[test]
        fn two_cards_alike_are_both_refused_and_priority_decides() {
            let catalog = ProfileCatalog::shipped().with_local(&[named(CARD, "one"), named(CARD, "two")]);
            assert_eq!(catalog.errors().len(), 2, "{:?}", catalog.errors());
            let higher = CARD.replace("[evidence]", "priority = 5\n[evidence]");
            let catalog = ProfileCatalog::shipped().with_local(&[named(CARD, "one"), named(&higher, "two")]);
            assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
            let Verdict::Probe(cards) = catalog.candidates(&atr("3B80800101"), Interface::Contactless) else {
                panic!()
            };
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
            let catalog = ProfileCatalog::shipped().with_local(&[named(READER, "one"), named(READER, "one")]);
            assert_eq!(
                catalog.errors().iter().map(|error| error.fault.clone()).collect::<Vec<_>>(),
                [Fault::DuplicateId, Fault::DuplicateId]
            );
        }

        #[test]
        fn local_wins_over_update_wins_over_shipped() {
            let priority =
                READER.replace("^Probe ", "^ACS ACR122U PICC").replace("Probe 00 00", "ACS ACR122U PICC 00 00");
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
    }
}

mod a_folder {
    use super::*;

    #[test]
    fn of_the_shipped_profiles_can_be_checked_as_a_local_one() {
        let texts = profile_folder::read(folder());
        let catalog = ProfileCatalog::shipped().with_local(&texts);
        assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
        assert_eq!(texts.len(), catalog.readers().count() + catalog.cards().count());
        assert!(catalog.report().to_string().lines().all(|line| line.contains(" local ")));
    }

    #[test]
    fn that_is_not_there_is_a_fault_and_no_more() {
        let texts = profile_folder::read(Path::new("/nonexistent/profiles"));
        let catalog = ProfileCatalog::shipped().with_local(&texts);
        assert!(matches!(catalog.errors()[0].fault, Fault::Unreadable(_)), "{:?}", catalog.errors());
    }

    /// Fault 25, as far as it is about files: each bad one is named, and the good one works.
    #[cfg(unix)]
    #[test]
    fn full_of_bad_files_still_gives_the_good_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let good = shipped_text("readers/acr122u.toml");
        fs::create_dir_all(path("a/b/c/d/e")).unwrap();
        fs::write(path("a/acr122u.toml"), &good).unwrap();
        fs::write(path("a/b/c/d/acr122u.toml"), &good).unwrap();
        fs::write(path("large.toml"), vec![b'#'; 10 << 20]).unwrap();
        fs::write(path("latin.toml"), b"title = \"Stra\xDFe\"").unwrap();
        fs::write(path("notes.txt"), "not looked at").unwrap();
        fs::write(path("example.toml"), "not looked at").unwrap();
        symlink(temp.path(), path("a/loop")).unwrap();
        symlink(path("loop.toml"), path("loop.toml")).unwrap();
        symlink("/etc/passwd", path("passwd.toml")).unwrap();
        fs::write(path("secret.toml"), &good).unwrap();
        fs::set_permissions(path("secret.toml"), fs::Permissions::from_mode(0o000)).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe.toml"), rustix::fs::Mode::RUSR).unwrap();

        let catalog = ProfileCatalog::shipped().with_local(&profile_folder::read(temp.path()));
        let mut codes: Vec<_> =
            catalog.errors().iter().map(|error| (error.file.as_str(), error.fault.code())).collect();
        // An unreadable file stays readable to root; then it is refused for its name.
        let secret = if rustix::process::geteuid().is_root() { "profile_file_name" } else { "profile_unreadable" };
        codes.sort_unstable();
        assert_eq!(
            codes,
            [
                ("a/b/c/d", "profile_unreadable"),
                ("large.toml", "profile_too_large"),
                ("latin.toml", "profile_not_utf8"),
                ("loop.toml", "profile_unreadable"),
                ("passwd.toml", "profile_unreadable"),
                ("pipe.toml", "profile_unreadable"),
                ("secret.toml", secret),
            ]
        );
        let reader = catalog.find_reader(&linux("ACS ACR122U PICC Interface 00 00")).unwrap();
        assert_eq!(reader.id.as_str(), "acr122u");
        assert!(catalog.report().to_string().contains("acr122u                  local"));
    }

    #[test]
    fn with_more_than_a_catalogue_takes_is_cut_and_said_so() {
        let temp = tempfile::tempdir().unwrap();
        for number in 0..600 {
            fs::write(temp.path().join(format!("p{number:03}.toml")), "").unwrap();
        }
        let catalog = ProfileCatalog::shipped().with_local(&profile_folder::read(temp.path()));
        assert!(catalog.errors().iter().any(|error| error.fault == Fault::TooMany));
        assert!(catalog.errors().iter().any(|error| matches!(error.fault, Fault::Unreadable(_))));
        assert!(catalog.errors().len() <= 520);
    }
}

#[test]
fn a_loaded_profile_is_one_of_two_kinds() {
    let kind = |path: &str| {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        load(&ProfileText::from_file(name, shipped_text(path).into_bytes()), Layer::Shipped).unwrap()
    };
    assert!(matches!(kind("readers/acr122u.toml"), Profile::Reader(_)));
    assert!(matches!(kind("cards/bik1.toml"), Profile::Card(_)));
}
