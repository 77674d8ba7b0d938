//! The service tool as technicians call it: `profiles check`, `probe`, `doctor`, each as the real program.
#![cfg(all(feature = "sim", feature = "pcsc"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use data_encoding::HEXUPPER;
use jiff::Timestamp;
use serde_json::Value;
use support::{
    pcscd::PrivatePcscd,
    practice::{Counting, Practice},
    transcript::Transcript,
};
use teilhabe_terminal::{
    card::{self, Trust},
    profile::{Atr, Interface, ProfileCatalog, ReaderProfile, Verdict},
    sim::{VirtualCard, VpcdSlot},
};

fn teilhabectl(socket: Option<&str>, arguments: &[&str]) -> Output {
    teilhabectl_in("en_GB.UTF-8", socket, arguments)
}

/// In a session of that locale.
fn teilhabectl_in(locale: &str, socket: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabectl"));
    command.env_remove("LC_MESSAGES").env_remove("LANG").env("LC_ALL", locale);
    // Without a service of its own it must not find the machine's.
    command.env("PCSCLITE_CSOCK_NAME", socket.unwrap_or("/nonexistent/pcscd.comm"));
    command.args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The README that technicians write a profile by.
const README: &str = include_str!("../firmware-profiles/README.md");

/// The files that it shows as a whole: a reader, then cards by UID, by what a tag holds, by a file, by an NDEF message.
fn shown_in_the_readme() -> [&'static str; 5] {
    let shown: Vec<&str> = README.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    shown.try_into().expect("five files are shown")
}

/// Fault 25 and issue 4, point 5: each thing `profiles check` has to find, found through the command, with file, key and
/// code; the good files beside it stay in force.
#[test]
fn profiles_check_finds_what_is_wrong_with_a_file() {
    let [new_model, new_card, storage, file, ndef] = shown_in_the_readme();
    let signals = |list: &str| format!("[escape]\nfamily = \"acs-ff00\"\n[signals]\naccept = {list}\n\n[[slot]]");
    let raw = signals("[\"FF00400D0400000000\"]");
    let key = "[identify]\nmethod = \"uid\"\nkey_a = \"FFFFFFFFFFFF\"";
    let level = "[auth]\nmethod = \"uid\"\nmax_level = 4\n\n[[tests.atr]]";
    let twin = new_model.replace("acme-100", "acme-101");
    // File, its text, and the code with the key of each line that must come; nothing else may come.
    type Files<'a> = Vec<(&'a str, String)>;
    let reader = |from: &str, to: &str| vec![("acme-100.toml", new_model.replacen(from, to, 1))];
    let card = |from: &str, to: &str| vec![("library-card.toml", new_card.replacen(from, to, 1))];
    let cases: Vec<(Files<'_>, &[(&str, &str)])> = vec![
        (reader("", ""), &[]),
        (
            vec![
                ("library-card.toml", new_card.to_owned()),
                ("club-tag.toml", storage.to_owned()),
                ("canteen-card.toml", file.to_owned()),
                ("museum-pass.toml", ndef.to_owned()),
            ],
            &[],
        ),
        (
            vec![(
                "club-tag.toml",
                storage.replace("block = 4", "block = 4, len = 16 }, { op = \"read_block\", block = 8"),
            )],
            &[],
        ),
        (
            vec![("club-tag.toml", storage.replace("number = \"4917", "number = \"4918"))],
            &[("profile_sample", "identify.extract.regex")],
        ),
        (
            vec![("canteen-card.toml", file.replace("max = 64", "maxx = 64"))],
            &[("profile_unknown_key", "identify.steps.2.maxx")],
        ),
        (
            vec![("museum-pass.toml", ndef.replace("D2760000850101", "A0000000041010"))],
            &[("profile_payment", "match.select.aid")],
        ),
        (reader("vendor =", "wendor ="), &[("profile_unknown_key", "wendor")]),
        (reader("[[slot]]", "[quirk]\nflags = [\"lazy\"]\n\n[[slot]]"), &[("profile_unknown_word", "quirk.flags.1")]),
        (
            vec![("acme-100.toml", new_model.to_owned()), ("acme-101.toml", twin)],
            &[("profile_ambiguous", "match.usb"), ("profile_ambiguous", "match.usb")],
        ),
        (reader("[[slot]]", &raw), &[("profile_raw_bytes", "signals.accept.1")]),
        (card("[identify]\nmethod = \"uid\"", key), &[("profile_key_material", "identify.key_a")]),
        (card("[[tests.atr]]", level), &[("profile_level", "auth.max_level")]),
        (reader("^Acme 100 ", "^Acme 200 "), &[("profile_pattern_without_sample", "match.names.1.regex")]),
        (
            reader("[[slot]]", &signals("[\"led_blink\", \"buzzer_on_detect:on\"]").replace("ff00", "e0")),
            &[("profile_value", "signals.accept")],
        ),
    ];
    for (files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        // A good one that must stay in force beside the bad ones.
        let good =
            new_model.replace("acme-100", "good").replace("Acme 100", "Good 1").replace("1234:ABCD", "1234:0001");
        fs::write(folder.path().join("good.toml"), good).unwrap();
        for (name, text) in &files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let output = teilhabectl(None, &["--json", "profiles", "check", folder.path().to_str().unwrap()]);
        let found = lines(&output);
        let found: Vec<(&str, &str)> = found
            .iter()
            .filter(|line| line["state"] == "disabled")
            .map(|line| (line["code"].as_str().unwrap(), line["key"].as_str().unwrap_or("")))
            .collect();
        assert_eq!(found, expected, "{files:?}");
        assert_eq!(output.status.success(), expected.is_empty(), "{files:?}");
        let told = teilhabectl(None, &["profiles", "check", folder.path().to_str().unwrap()]);
        let told = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.matches("disabled: ").count(), expected.len(), "{told}");
        assert!(told.lines().any(|line| line.starts_with("reader good ")), "{told}");
        for (code, _) in expected {
            assert!(told.contains(&format!("[{code}]")), "{told}");
        }
    }
}

/// The words that the README quotes are those that are printed, in both languages; what it quotes of a fault too.
#[test]
fn profiles_check_speaks_as_the_readme_says() {
    let [_, new_card, _, file, ndef] = shown_in_the_readme();
    let folder = tempfile::tempdir().unwrap();
    let check = |locale: &str| {
        let output = teilhabectl_in(locale, None, &["profiles", "check", folder.path().to_str().unwrap()]);
        String::from_utf8(output.stdout).unwrap()
    };
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("library-card.toml", new_card);
    write("museum-pass.toml", ndef);
    for (locale, said) in [("en", ["all fine", "note: "]), ("de", ["alles in Ordnung", "Hinweis: "])] {
        let told = check(locale);
        assert!(said.iter().all(|words| told.contains(words)), "{told}");
    }
    write("canteen-card.toml", &file.replace("max = 64", "maxx = 64"));
    write("x.TOML", "");
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `"));
    let rows: Vec<_> = rows
        .filter(|(english, _)| {
            ["disabled", "ignored", "shipped", "tested"].iter().any(|word| english.starts_with(word))
        })
        .collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for (at, locale) in ["en", "de"].into_iter().enumerate() {
        let told = check(locale);
        for (english, german) in &rows {
            let words =
                [english, german][at].split("`, `").filter(|word| !["account update", "vom Konto"].contains(word));
            for word in words {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
        let quoted = README
            .lines()
            .find(|line| line.contains("canteen-card.toml:24") && line.contains(["local", "eigen"][at]))
            .unwrap();
        assert!(told.contains(quoted.trim().trim_end_matches('…').trim_end()), "{quoted}: {told}");
    }
}

/// Fault 25: whoever checks a folder is told what was looked at, and what was not and why: silence is never "all fine".
#[test]
fn profiles_check_says_what_it_looked_at() {
    let [new_model, new_card, ..] = shown_in_the_readme();
    let check = |arguments: &[&str]| {
        let output = teilhabectl(None, &[&["profiles", "check"], arguments].concat());
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.success(), told)
    };
    let temp = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = temp.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();

    let (fine, told) = check(&[]);
    assert!(fine && told.ends_with(" files checked in the program: all fine\n"), "{told}");

    let empty = text(&folder("empty"));
    let (fine, told) = check(&[&empty]);
    assert!(!fine && told.ends_with(&format!("nothing to check in {empty}\n")), "{told}");

    let strange = folder("strange");
    for name in ["acme-100.txt", "acme-100.toml.bak", "acme-100.TOML", "example.reader.toml"] {
        fs::write(strange.join(name), new_model).unwrap();
    }
    let (fine, told) = check(&[&text(&strange)]);
    assert!(!fine && told.lines().filter(|line| line.starts_with("ignored: ")).count() == 4, "{told}");
    assert!(told.contains("ignored: acme-100.TOML: looks like a profile; call it acme-100.toml"), "{told}");
    assert!(told.contains("ignored: example.reader.toml: a template"), "{told}");

    // What somebody wrote for nothing is no fine folder: named, with the name that it should have.
    let mixed = folder("mixed");
    fs::write(mixed.join("acme-100.toml"), new_model).unwrap();
    for name in ["card.toml.txt", "CARD.TOML", "card", "notes.txt", "acme-100.toml~"] {
        let text = if name.contains("notes") { "kind of a note" } else { new_card };
        fs::write(mixed.join(name), if name.starts_with("acme") { new_model } else { text }).unwrap();
    }
    let (fine, told) = check(&[&text(&mixed)]);
    assert!(!fine && told.matches(": looks like a profile; call it library-card.toml\n").count() == 3, "{told}");
    let sum = format!("1 file checked in {}, 5 ignored: 3 wrongly named\n", text(&mixed));
    assert!(told.ends_with(&sum), "{told}");
    fs::write(mixed.join("library-card.toml"), new_card).unwrap();
    let (fine, told) = check(&[&text(&mixed)]);
    assert!(fine && told.ends_with(&format!("2 files checked in {}, 5 ignored: all fine\n", text(&mixed))), "{told}");

    let right = folder("right/readers");
    fs::write(right.join("acme-100.toml"), new_model).unwrap();
    let right = text(&temp.path().join("right"));
    let (fine, told) = check(&[&right]);
    assert!(fine && told.ends_with(&format!("1 file checked in {right}: all fine\n")), "{told}");
    fs::write(
        temp.path().join("right/readers/acme-101.toml"),
        new_model.replace("100", "101").replace("vendor", "wendor"),
    )
    .unwrap();
    fs::create_dir(temp.path().join("right/acme-102.toml")).unwrap();
    let (fine, told) = check(&[&right]);
    assert!(!fine && told.contains("disabled: local readers/acme-101.toml:5: wendor: "), "{told}");
    assert!(told.contains("acme-102.toml: this is a folder; a profile is a file"), "{told}");
    assert!(told.ends_with(&format!("3 files checked in {right}: 2 disabled\n")), "{told}");

    // The folder of the configuration is the one the terminal reads.
    let config = temp.path().join("terminal.toml");
    fs::write(&config, format!("language = \"en\"\n[reader]\nworkshop_profiles = \"{right}\"\n")).unwrap();
    let (fine, by_config) = check(&["--config", &text(&config)]);
    assert!(!fine && by_config == told, "{by_config}");

    let nowhere = text(&temp.path().join("nowhere"));
    let (fine, told) = check(&[&nowhere]);
    assert!(!fine && told.contains(&format!("{nowhere}: the folder cannot be read: there is none")), "{told}");
    assert!(told.ends_with(&format!("nothing to check in {nowhere}\n")), "{told}");
    let (fine, told) = check(&[&format!("{right}/readers/acme-100.toml")]);
    assert!(!fine && told.contains(&format!("give the folder: teilhabectl profiles check {right}/readers")), "{told}");

    let all = lines(&teilhabectl(None, &["--json", "profiles", "check", &right]));
    let count = |state: &str| all.iter().filter(|line| line["state"] == state).count();
    assert!(count("in_force") > 25 && count("disabled") == 2 && count("checked") == 1, "{all:?}");
}

/// Plays a recording as a terminal without any account would meet the card.
fn outcome(transcript: &Transcript) -> String {
    let catalog = ProfileCatalog::shipped();
    let reader: &ReaderProfile =
        catalog.readers().find(|reader| Some(reader.id.as_str()) == transcript.scene("reader")).unwrap();
    let interface = match transcript.scene("interface") {
        Some("contact") => Interface::Contact,
        _ => Interface::Contactless,
    };
    let atr = Atr::new(&HEXUPPER.decode(transcript.scene("atr").unwrap_or_default().as_bytes()).unwrap());
    match catalog.candidates(&atr, interface) {
        Verdict::Reject(card) => format!("rejected {}", card.id),
        Verdict::Probe(candidates) => {
            let mut channel = transcript.play();
            let now = Timestamp::UNIX_EPOCH;
            let told = card::identify(&mut channel, reader, &atr, &candidates, &Trust::default(), now);
            assert!(channel.is_finished(), "{}", transcript.name);
            told.map_or_else(
                |error| error.code().to_owned(),
                |reading| format!("identified level {}", reading.identified.level.get()),
            )
        }
    }
}

fn probed(service: &mut PrivatePcscd, card: VirtualCard, file: &Path) -> String {
    let output = probing(service, card, &["--out", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(file).unwrap()
}

fn probing(service: &mut PrivatePcscd, mut card: VirtualCard, arguments: &[&str]) -> Output {
    let slot = VpcdSlot::connect(("127.0.0.1", service.port())).unwrap();
    let ejector = slot.ejector();
    let playing = std::thread::Builder::new().spawn(move || slot.present(&mut card, None)).unwrap();
    let output = teilhabectl(Some(service.socket()), &[&["probe", "--wait", "20"], arguments].concat());
    ejector.eject();
    playing.join().unwrap().unwrap();
    // The service notices an empty slot up to 400 ms later; a new one has never seen the card.
    service.swap(&["Virtual PCD"]);
    output
}

/// Issue 4, point 5, at the real `pcscd`: what `probe` writes plays as a test, and names nobody.
#[test]
fn probe_writes_transcripts_that_can_be_told_again_and_name_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("pcscd");
    fs::create_dir(&home).unwrap();
    let mut service = PrivatePcscd::start(&home);
    let practice = Practice::new();
    let uid = [0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6];
    let health = b"\x3B\x85\x80\x01\x30\x01\x01\x30\x30\x34";
    let entropy = || std::sync::Arc::new(Counting::default());
    // Secrets: the practice card's cti, the UID.
    let cases = [
        ("chip", practice.card("chip", None), "00112233445566778899AABBCCDDEEFF", "unknown_district"),
        ("storage", VirtualCard::storage(&uid, entropy()), "A1B2C3D4E5F6", "unknown_district"),
        (
            "health",
            practice.card("chip", None).with_atr(health),
            "00112233445566778899AABBCCDDEEFF",
            "rejected reject-egk",
        ),
    ];
    for (name, card, secret, expected) in cases {
        let key = card.public_key().map(|key| {
            use p256::elliptic_curve::sec1::ToSec1Point;
            HEXUPPER.encode(&key.to_sec1_point(true).as_bytes()[1..])
        });
        let file = folder.path().join(format!("{name}.apdu"));
        let text = probed(&mut service, card, &file);
        assert!(!text.contains(secret), "{name}: {text}");
        assert!(key.is_none_or(|key| !text.contains(&key)), "{name}: {text}");
        let transcript = Transcript::parse(name, &text);
        assert_eq!(transcript.outcomes, [expected], "{name}: {text}");
        assert_eq!(outcome(&transcript), expected, "{name}: {text}");
        assert_eq!(transcript.len() > 0, name != "health", "{name}: a card of others hears nothing");
    }
    // A reader whose profile forbids asking for the UID: whoever probes is told why the card is nobody's.
    let shelf = folder.path().join("shelf");
    fs::create_dir(&shelf).unwrap();
    let reader = include_str!("../firmware-profiles/readers/virtual-pcd.toml").replace("uid = true", "uid = false");
    fs::write(shelf.join("virtual-pcd.toml"), reader).unwrap();
    let config = folder.path().join("terminal.toml");
    fs::write(&config, format!("language = \"en\"\n[reader]\nworkshop_profiles = \"{}\"\n", shelf.display())).unwrap();
    let output = probing(&mut service, VirtualCard::storage(&uid, entropy()), &["--config", config.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the reader's profile virtual-pcd does not allow asking for the UID"), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("= not_ours"));

    // A recording that could not be kept, or would take the place of another, is not begun.
    for (file, expected) in [("chip.apdu", "is there already"), ("nowhere/chip.apdu", "make it first")] {
        let file = folder.path().join(file);
        let output = teilhabectl(None, &["probe", "--out", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(expected), "{told}");
    }
    let nobody = teilhabectl(Some(service.socket()), &["probe", "--wait", "1"]);
    assert!(!nobody.status.success());
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no card within 1 s"));
}

/// The recordings that are kept: each still comes to what it says.
#[test]
fn kept_recordings_come_to_what_they_say() {
    let kept = Transcript::all("probe");
    assert!(!kept.is_empty());
    for transcript in kept {
        assert_eq!([outcome(&transcript)], transcript.outcomes[..], "{}", transcript.name);
    }
}

/// A machine by its files.
fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// What the doctor says of `what`: in order or not, what was found, and the advice.
fn says(findings: &[Value], what: &str) -> (bool, String, String) {
    let finding =
        findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {findings:?}"));
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    (finding["good"].as_bool().unwrap(), text("found"), text("advice"))
}

fn plist(version: &str) -> String {
    format!("<dict>\n<key>CFBundleShortVersionString</key>\n<string>{version}</string>\n</dict>")
}

/// Issue 4, point 5: reader, driver, polkit, kernel modules and clock, each with advice where something is wrong.
#[test]
fn doctor_looks_at_the_machine_and_gives_advice() {
    const CCID: &str = "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist";
    const POLICY: &str = "usr/share/polkit-1/actions/org.debian.pcsc-lite.policy";
    let folder = tempfile::tempdir().unwrap();
    let mut service = PrivatePcscd::start(folder.path());
    let doctor = |service: Option<&PrivatePcscd>, root: &tempfile::TempDir| {
        let root = root.path().to_str().unwrap();
        let data = folder.path().join("no-data");
        let arguments = ["--json", "--data", data.to_str().unwrap(), "doctor", "--root", root];
        lines(&teilhabectl(service.map(PrivatePcscd::socket), &arguments))
    };

    // The workshop's folder: missing, with a wrong file, empty, right.
    let shelf = folder.path().join("shelf");
    let config = folder.path().join("terminal.toml");
    fs::write(&config, format!("language = \"en\"\n[reader]\nworkshop_profiles = \"{}\"\n", shelf.display())).unwrap();
    let profiles = || {
        let arguments = ["--json", "--config", config.to_str().unwrap(), "--data", "/nonexistent/data", "doctor"];
        says(&lines(&teilhabectl(None, &arguments)), "profiles")
    };
    let (good, found, advice) = profiles();
    assert!(!good && found.contains("shelf: the folder cannot be read: there is none"), "{found}");
    assert!(advice.starts_with("make the folder"), "{advice}");
    fs::create_dir(&shelf).unwrap();
    let (good, found, advice) = profiles();
    assert!(
        !good && found.starts_with("0 in force from ") && advice.contains("put profiles into the folder"),
        "{found}"
    );
    let [new_model, ..] = shown_in_the_readme();
    fs::write(shelf.join("acme-100.toml.txt"), new_model).unwrap();
    let (good, found, advice) = profiles();
    assert!(!good && found == "acme-100.toml.txt: looks like a profile; call it acme-100.toml", "{found}");
    assert!(advice.starts_with("rename the file"), "{advice}");
    fs::remove_file(shelf.join("acme-100.toml.txt")).unwrap();
    fs::write(shelf.join("acme-100.toml"), new_model.replace("vendor", "wendor")).unwrap();
    let (good, found, advice) = profiles();
    assert!(!good && found.starts_with("acme-100.toml:5: wendor: "), "{found}");
    assert!(advice.contains("profiles check"), "{advice}");
    fs::write(shelf.join("acme-100.toml"), new_model).unwrap();
    assert_eq!(profiles().0, true);

    let sound = machine(&[(CCID, &plist("1.5.2")), ("proc/modules", "usbhid 65536 0 - Live 0x0\n")]);
    let findings = doctor(Some(&service), &sound);
    assert_eq!(says(&findings, "reader").1, "Virtual PCD 00 00 (Virtual PCD (vpcd), contactless)");
    assert_eq!(says(&findings, "driver"), (true, "libccid 1.5.2".to_owned(), String::new()));
    assert!(says(&findings, "polkit").0 && says(&findings, "kernel_modules").0);
    let (_, found, advice) = says(&findings, "clock");
    assert!(found.contains("synchronised") && (advice.is_empty() || advice.contains("timedatectl")));
    assert!(!says(&findings, "data").0);

    let troubled = machine(&[
        (CCID, &plist("1.5.2")),
        ("etc/libccid_Info.plist", "<key>ifdDriverOptions</key>\n<string>0x0000</string>"),
        ("proc/modules", "pn533_usb 20480 0 - Live 0x0\npn533 49152 1 pn533_usb, Live 0x0\nnfc 1 0 - Live 0x0\n"),
        (POLICY, "<policyconfig/>"),
    ]);
    // Debian 12's libccid is too old for this model, which says itself what it would need instead.
    service.swap(&["ACS ACR122U PICC Interface"]);
    let findings = doctor(Some(&service), &troubled);
    let (good, _, advice) = says(&findings, "driver");
    assert!(!good && advice.contains("libccid 1.6.2"), "{advice}");
    let (good, found, advice) = says(&findings, "kernel_modules");
    assert!(!good && advice.contains("blacklist pn533_usb"), "{advice}");
    assert_eq!(found, "nfc, pn533, pn533_usb");
    let (good, _, advice) = says(&findings, "polkit");
    assert!(!good && advice.contains("access_pcsc"), "{advice}");
    let (good, found, _) = says(&findings, "signals");
    assert!(good && found.contains("while a card lies there"), "{found}");
    let ruled = machine(&[
        (CCID, &plist("1.10.0")),
        (POLICY, "<policyconfig/>"),
        ("etc/polkit-1/rules.d/50-teilhabe.rules", "if (action.id == \"org.debian.pcsc-lite.access_pcsc\") {}"),
    ]);
    let findings = doctor(Some(&service), &ruled);
    assert!(says(&findings, "polkit").0 && says(&findings, "driver").0, "1.10 is newer than 1.6.2");

    service.swap(&["SCM Micro SCL3711 Contactless Reader & NFC"]);
    let (good, _, advice) = says(&doctor(Some(&service), &sound), "reader");
    assert!(!good && advice.contains("another card reader"), "the profile speaks: {advice}");
    service.swap(&[]);
    let (good, found, advice) = says(&doctor(Some(&service), &sound), "reader");
    assert!(!good && found == "none is plugged in" && advice.contains("plug the reader in"));
    let (good, _, advice) = says(&doctor(None, &machine(&[])), "reader");
    assert!(!good && advice.contains("pcscd"), "{advice}");
}

/// Issue 4, point 5: the advice is in the installation's language, else in the session's, and the codes are the same in
/// both; `profiles check` speaks it too.
#[test]
fn advice_is_in_the_language_of_the_installation() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("terminal.toml");
    let troubled = machine(&[("proc/modules", "nfc 1 0 - Live 0x0\n")]);
    let root = troubled.path().to_str().unwrap();
    let asked = |locale: &str, language: Option<&str>| {
        let mut arguments = vec!["--json".to_owned()];
        if let Some(language) = language {
            fs::write(&config, format!("data = \"/nonexistent\"\nlanguage = \"{language}\"\n")).unwrap();
            arguments.extend(["--config".to_owned(), config.display().to_string()]);
        }
        arguments.extend(["doctor", "--root", root].map(str::to_owned));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        lines(&teilhabectl_in(locale, None, &arguments))
    };
    let cases = [
        ("en_GB.UTF-8", Some("de"), "das Gerät neu starten"),
        ("de_DE.UTF-8", Some("en"), "start the machine anew"),
        ("de_AT.UTF-8", None, "das Gerät neu starten"),
        ("en_US.UTF-8", None, "start the machine anew"),
        ("C.UTF-8", None, "das Gerät neu starten"),
    ];
    for (locale, language, expected) in cases {
        let findings = asked(locale, language);
        let (good, found, advice) = says(&findings, "kernel_modules");
        assert!(!good && found == "nfc" && advice.contains(expected), "{locale} {language:?}: {advice}");
        let codes: Vec<&str> = findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
        assert!(codes.contains(&"modules_do") && codes.contains(&"service_missing_do"), "{codes:?}");
    }
    let bad = folder.path().join("profiles");
    fs::create_dir(&bad).unwrap();
    fs::write(bad.join("acme.toml"), "schema = 2\n").unwrap();
    let told = teilhabectl_in("de_DE.UTF-8", None, &["profiles", "check", bad.to_str().unwrap()]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains(
            "außer Kraft: eigen acme.toml:1: schema: `schema` ist 2; dieses Programm liest Schema 1 [profile_schema]"
        ),
        "{told}"
    );
    let nobody = teilhabectl_in("de_DE.UTF-8", None, &["probe", "--wait", "1"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("kein Leser ist ansprechbar"));
}

/// A reader of a known model that is plugged in and that the smart-card service does not list: its profile says what to do.
#[test]
fn doctor_knows_readers_the_service_does_not() {
    let device = |id: &str, vendor: &str, product: &str, bcd: &str| {
        let file = |name: &str| format!("sys/bus/usb/devices/{id}/{name}");
        [
            (file("idVendor"), vendor.to_owned()),
            (file("idProduct"), product.to_owned()),
            (file("bcdDevice"), bcd.to_owned()),
        ]
    };
    let files: Vec<(String, String)> = [
        device("1-1", "072f\n", "2200\n", "0203\n"),
        device("1-2", "04e6\n", "5591\n", "0100\n"),
        device("1-3", "1d6b\n", "0002\n", "0510\n"),
    ]
    .concat();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let root = machine(&files);
    for (locale, expected) in [
        ("de_DE.UTF-8", ["Bitte den Leser tauschen", "SCL3711 gegen anderen Leser tauschen"]),
        ("en_GB.UTF-8", ["Please replace the reader", "Swap the SCL3711 for another card reader"]),
    ] {
        let arguments = ["--json", "--data", "/nonexistent", "doctor", "--root", root.path().to_str().unwrap()];
        let findings = lines(&teilhabectl_in(locale, None, &arguments));
        let advice: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["what"] == "reader" && finding["code"] == "profile_says")
            .map(|finding| finding["advice"].as_str().unwrap())
            .collect();
        assert_eq!(advice.len(), 2, "{findings:?}");
        for part in expected {
            assert!(advice.iter().any(|text| text.contains(part)), "{advice:?}");
        }
    }
}
