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
        ProfileText, Rule, Sighting, SlotRole, System, Topic, UsbId, Verdict, load,
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
        load(&text, Layer::Local).map(drop).map_err(|error| {
            is_german(&error.fault);
            (error.fault.code(), error.line, error.key.unwrap_or_default())
        })
    }

    /// No word of English is left beside what is quoted from the file or to be written into it.
    fn is_german(fault: &Fault) {
        let (english, german) = (fault.to_string(), fault.german());
        assert_ne!(english, german);
        // Every other piece stands between marks; an unpaired one inside a piece leaves more to look at, never less.
        let ours: String = german.split(['`', '"']).step_by(2).collect::<Vec<_>>().join(" ");
        let english = ["the", "is", "are", "a", "of", "and", "no", "not", "must", "expected", "known", "stands", "at"];
        let left =
            ours.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').find(|word| english.contains(word));
        assert_eq!(left, None, "{german}");
    }

    /// A right file, what is replaced in it, by what, and the code, line and key that must come of it.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a str, Option<usize>, &'a str);

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
            (READER, "[[slot]]", &verb, "profile_unknown_word", Some(16), "signals.accept.1"),
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
            (CARD, "[identify]\nmethod = \"uid\"\n", "", "profile_missing_key", Some(13), "action"),
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
                "match.atr.1",
            ),
            (CARD, "de:*", "fr:*", "profile_value", Some(6), "issuer_scope.1"),
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

    #[test]
    fn has_an_entry_in_the_run_book() {
        let book = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md")).unwrap();
        for code in Fault::CODES {
            assert_eq!(book.lines().filter(|line| *line == format!("### `{code}`")).count(), 1, "{code}");
        }
    }

    #[test]
    fn is_refused_unread_if_it_is_no_text() {
        let load = |bytes: Vec<u8>| load(&ProfileText::from_file("probe.toml", bytes), Layer::Local).unwrap_err().fault;
        assert!(load(b"schema = 1\n\xFF".to_vec()).to_string().ends_with("(the first wrong byte is number 12)"));
        assert_eq!(load(vec![b'#'; MAX_TEXT_LEN + 1]).rule, Rule::TooLarge);
        assert_eq!(load(vec![b' '; 10 << 20]).rule, Rule::TooLarge);
        assert_eq!(load(vec![b'['; MAX_TEXT_LEN]).rule, Rule::Syntax, "deep nesting");
        assert_eq!(load(format!("a = {}", "[".repeat(60_000)).into_bytes()).rule, Rule::Syntax);
        assert_eq!(load(format!("a = {}", "{a=".repeat(20_000)).into_bytes()).rule, Rule::Syntax);
        assert_eq!(load(vec![0; 100]).rule, Rule::Syntax);
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
            let _: Vec<String> = catalog.errors().iter().map(|error| error.fault.german()).collect();
            let _ = catalog.find_reader(&linux("Probe 00 00"));
            let _ = catalog.candidates(&atr("3B80800101"), Interface::Contactless);
        }
    }

    mod in_a_card;
    mod in_company;
    mod in_itself;
}

mod a_folder {
    use super::*;

    #[test]
    fn of_the_shipped_profiles_can_be_checked_as_a_local_one() {
        let texts = profile_folder::read(folder());
        let catalog = ProfileCatalog::shipped().with_local(&texts);
        assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
        assert_eq!(texts.len(), catalog.readers().count() + catalog.cards().count());
        assert!(catalog.listed().all(|profile| profile.layer == Layer::Local));
    }

    #[test]
    fn that_is_not_there_is_a_fault_and_no_more() {
        let texts = profile_folder::read(Path::new("/nonexistent/profiles"));
        let catalog = ProfileCatalog::shipped().with_local(&texts);
        assert_eq!(catalog.errors()[0].fault.rule, Rule::FolderMissing);
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
        assert!(catalog.listed().any(|profile| profile.id.as_str() == "acr122u" && profile.layer == Layer::Local));
    }

    #[test]
    fn with_more_than_a_catalogue_takes_is_cut_and_said_so() {
        let temp = tempfile::tempdir().unwrap();
        for number in 0..600 {
            fs::write(temp.path().join(format!("p{number:03}.toml")), "").unwrap();
        }
        let catalog = ProfileCatalog::shipped().with_local(&profile_folder::read(temp.path()));
        assert!(catalog.errors().iter().any(|error| error.fault.rule == Rule::TooMany));
        assert!(catalog.errors().iter().any(|error| error.fault.rule == Rule::FolderCrowded));
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
