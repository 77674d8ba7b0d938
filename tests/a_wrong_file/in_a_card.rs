//! Cards' files by what a newcomer got wrong in them: steps, numbers, UIDs, names. Each case says where it is told and how.

use super::*;

/// A card that is read by files, with its steps over several lines.
const CANTEEN: &str = r#"schema = 1
kind = "card"
id = "probe"
title = "Canteen"
issuer_scope = ["de:05112000"]
[evidence]
status = "untested"
sources = ["layout of the card"]
[match]
interface = ["contactless"]
[match.select]
aid = "F04D454E5341"
[action]
type = "identify"
[identify]
method = "file-read"
number_check = "district"
steps = [
  { op = "select", aid = "F04D454E5341" },
  { op = "select_file", fid = "0002" },
  { op = "read_binary", sfi = 2, max = 64 },
]
extract = { step = 3, slice = [0, 12], decode = "ascii" }
[[tests.read]]
bytes = "343931373030303030303432"
number = "491700000042"
"#;

/// A tag whose pages anybody can read.
const TAG: &str = r#"schema = 1
kind = "card"
id = "probe"
title = "Club tag"
issuer_scope = ["de:05112000"]
[evidence]
status = "untested"
sources = ["layout of the tag"]
[match]
storage = { ss = [3], nn = [3] }
uid = { lengths = [7], reject_random = true }
[action]
type = "identify"
[identify]
method = "uid"
uid_transform = ["reverse", "dec"]
[[tests.atr]]
atr = "3B8F8001804F0CA0000003060300030000000068"
matches = true
[[tests.uid]]
uid = "04A1B2C3"
text = "3283263748"
"#;

/// What is replaced in a right file by what, and line, key, code and a piece of the English and the German text.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str, [&'a str; 2]);

fn told(base: &str, cases: &[Case<'_>]) {
    assert_eq!(fault_of(base), Ok(()));
    let mut wrong = Vec::new();
    for (from, to, place, code, pieces) in cases {
        assert!(base.contains(from), "the case changes nothing: {from}");
        let text = ProfileText::from_file("probe.toml", base.replacen(from, to, 1).into_bytes());
        let Err(error) = load(&text, Layer::Local) else {
            wrong.push(format!("{to}: nothing is found"));
            continue;
        };
        is_german(&error.fault);
        let texts = [error.fault.to_string(), error.fault.german()];
        let fits = texts.iter().zip(pieces).all(|(text, piece)| text.contains(piece));
        if error.place() != *place || error.fault.code() != *code || !fits {
            wrong.push(format!(
                "{to}\n    expected {place} [{code}] {pieces:?}\n    found    {error}\n             {}",
                texts[1]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fault 25.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn is_told_the_step_and_the_key_in_it() {
    let read = "sfi = 2, max = 64";
    let (unknown, value, missing) = ("profile_unknown_key", "profile_value", "profile_missing_key");
    told(
        CANTEEN,
        &[
            (
                read,
                "sfi = 2, max = 64, clas = 0",
                "probe.toml:21: identify.steps.3.clas",
                unknown,
                ["is `class` meant?", "ist `class` gemeint?"],
            ),
            (
                read,
                "sfi = 2, max = 64, len = 4",
                "probe.toml:21: identify.steps.3.len",
                unknown,
                ["`op`, `sfi`, `max`, `class`"; 2],
            ),
            (read, "sfi = 2, max = 64, offset = 4", "probe.toml:21: identify.steps.3.offset", unknown, ["`sfi`"; 2]),
            (read, "sfi = 2", "probe.toml:21: identify.steps.3.max", missing, ["`max` is missing", "hier fehlt `max`"]),
            (
                read,
                "sfi = \"02\", max = 64",
                "probe.toml:21: identify.steps.3.sfi",
                value,
                ["the text \"02\"", "der Text \"02\""],
            ),
            (
                read,
                "sfi = 2, max = 64, class = \"00\"",
                "probe.toml:21: identify.steps.3.class",
                value,
                ["a number from 0 to 255", "eine Zahl von 0 bis 255"],
            ),
            (read, "sfi = 99, max = 64", "probe.toml:21: identify.steps.3.sfi", value, ["1 to 30", "1 bis 30"]),
            (
                read,
                "sfi = 2, max = 64, class = 1",
                "probe.toml:21: identify.steps.3.class",
                value,
                ["0x00 or 0xFF", "0x00 oder 0xFF"],
            ),
            (
                "fid = \"0002\"",
                "fid = 2",
                "probe.toml:20: identify.steps.2.fid",
                value,
                ["a text in quotation marks", "ein Text in Anführungszeichen"],
            ),
            (
                "fid = \"0002\"",
                "fid = \"02\"",
                "probe.toml:20: identify.steps.2.fid",
                value,
                ["two bytes", "zwei Bytes"],
            ),
            (
                "fid = \"0002\"",
                "fid = \"002\"",
                "probe.toml:20: identify.steps.2.fid",
                value,
                ["even number", "gerade Zahl"],
            ),
            (
                "select_file",
                "selekt_file",
                "probe.toml:20: identify.steps.2.op",
                "profile_unknown_word",
                ["is `select_file` meant?", "gemeint?"],
            ),
            (
                "op = \"select_file\", fid = \"0002\"",
                "op = \"read_block\", block = 4, len = 16",
                "probe.toml:20: identify.steps.2.op",
                "profile_method",
                ["the step read_block", "der Schritt read_block"],
            ),
            (
                "op = \"select_file\", fid = \"0002\"",
                "op = \"get_data\", tag = 90",
                "probe.toml:20: identify.steps.2.tag",
                value,
                ["the number 90", "die Zahl 90"],
            ),
            (
                "slice = [0, 12]",
                "slice = [60, 12]",
                "probe.toml:23: identify.extract.slice",
                value,
                ["step 3 brings at most 64", "Schritt 3 bringt höchstens 64"],
            ),
            (
                "slice = [0, 12]",
                "regex = \"[0-9]+\"",
                "probe.toml:23: identify.extract.regex",
                "profile_pattern",
                ["has no ( )", "hat keine ( )"],
            ),
            (
                "\"identify\"",
                "\"reject\"",
                "probe.toml:13: action.class",
                missing,
                ["`class` is missing", "hier fehlt `class`"],
            ),
            ("\"identify\"", "\"identify\"\nclass = \"bank\"", "probe.toml:15: action.class", unknown, ["`class`"; 2]),
            (
                "\"identify\"",
                "\"reject\"\nclass = \"library\"",
                "probe.toml:15: action.class",
                "profile_unknown_word",
                ["`library`"; 2],
            ),
        ],
    );
}

/// Fault 25. The number of a sample passes the check that is made when a card is read; else no card of these would ever be.
#[test]
fn is_told_that_its_own_number_fails_the_check() {
    let check = "number_check = \"district\"";
    let (place, value) = ("probe.toml:26: tests.read.1.number", "profile_value");
    told(
        CANTEEN,
        &[
            (
                check,
                "number_check = \"luhn\"",
                place,
                value,
                ["check digits of `491700000042`", "Prüfziffern von `491700000042`"],
            ),
            (check, "number_check = \"mod97\"", place, value, ["14-18 digits", "14-18 Ziffern"]),
            (
                "slice = [0, 12], decode = \"ascii\" }\n[[tests.read]]\nbytes = \"343931373030303030303432\"\nnumber = \"491700000042\"",
                "slice = [0, 4], decode = \"ascii\" }\n[[tests.read]]\nbytes = \"34393137\"\nnumber = \"4917\"",
                place,
                value,
                ["`4917` is no number", "`4917` ist keine Nummer"],
            ),
        ],
    );
    let transforms = "uid_transform = [\"reverse\", \"dec\"]";
    let with_check = format!("{transforms}\nnumber_check = \"luhn\"");
    told(TAG, &[(transforms, &with_check, "probe.toml:23: tests.uid.1.text", value, ["`3283263748`"; 2])]);
    // Right ones, by the examples of the two standards.
    for (check, number) in [("luhn", "4111111111111111"), ("mod97", "49171234567807"), ("district", "491712345678")] {
        let ascii = HEXUPPER.encode(number.as_bytes());
        let text = CANTEEN
            .replace("\"district\"", &format!("\"{check}\""))
            .replace("[0, 12]", &format!("[0, {}]", number.len()));
        let text = text.replace("343931373030303030303432", &ascii).replace("491700000042", number);
        assert_eq!(fault_of(&text), Ok(()), "{check}");
    }
}

#[test]
fn is_told_what_to_do_with_a_uid() {
    let transforms = "[\"reverse\", \"dec\"]";
    let value = "profile_value";
    told(
        TAG,
        &[
            (
                transforms,
                "[\"dec\", \"reverse\"]",
                "probe.toml:16: identify.uid_transform.2",
                value,
                ["in the order written", "in der geschriebenen Reihenfolge"],
            ),
            (
                transforms,
                "[\"reverse\", \"reverse\"]",
                "probe.toml:16: identify.uid_transform.2",
                value,
                ["`reverse` stands there twice", "`reverse` steht doppelt da"],
            ),
            (
                transforms,
                "[\n\"reverse\",\n\"pad:x\"]",
                "probe.toml:18: identify.uid_transform.2",
                value,
                ["pad:1 to pad:40", "pad:1 bis pad:40"],
            ),
            (
                "[[tests.uid]]\nuid = \"04A1B2C3\"\ntext = \"3283263748\"\n",
                "",
                "probe.toml:17: tests.uid",
                "profile_missing_key",
                ["[[tests.uid]] is missing", "[[tests.uid]] fehlt"],
            ),
            (
                "\"3283263748\"",
                "\"3283263749\"",
                "probe.toml:20: tests.uid.1",
                "profile_sample",
                ["becomes `3283263748`", "wird `3283263748`"],
            ),
        ],
    );
}

/// Nobody reads a MIFARE Classic without a key, and no profile holds one.
#[test]
fn is_told_that_a_classic_needs_a_key() {
    let read = "method = \"storage-read\"\nsteps = [{ op = \"read_block\", block = 4, len = 16 }]\n\
                extract = { step = 1, slice = [0, 4], decode = \"ascii\" }\n[[tests.read]]\nbytes = \"34393137\"\nnumber = \"4917\"\n";
    let tag = TAG.replace("method = \"uid\"\nuid_transform = [\"reverse\", \"dec\"]\n", read);
    let tag = tag.replace("[[tests.uid]]\nuid = \"04A1B2C3\"\ntext = \"3283263748\"\n", "");
    let names = "nn = [3]";
    let place = "probe.toml:10: match.storage";
    let told_so = |to| (names, to, place, "profile_method", ["use method uid", "das Verfahren uid nehmen"]);
    told(&tag, &[told_so("nn = [1, 3]"), told_so("nn = [3], sak = [0x08]"), told_so("nn = [3], sak = [0x18]")]);
    assert_eq!(fault_of(&tag.replace(names, "nn = [3], sak = [0x44]")), Ok(()));
}

/// Fault 25. Names for people reach a screen.
#[test]
fn is_called_by_a_name_that_fits_a_screen() {
    fn case(to: &str) -> Case<'_> {
        let pieces = ["1 to 60 characters", "1 bis 60 Zeichen"];
        ("title = \"Club tag\"", to, "probe.toml:4: title", "profile_value", pieces)
    }
    let long = format!("title = \"{}\"", "x".repeat(61));
    told(
        TAG,
        &[
            case(&long),
            case("title = \" \""),
            case("title = \"A\\u001b[31mred\""),
            case("title = \"A\\nB\""),
            case("title = \"A\\u202eB\""),
            case("title = \"A\\u200bB\""),
        ],
    );
    let sixty = TAG.replace("Club tag", &"ü".repeat(60));
    assert_eq!(fault_of(&sixty), Ok(()), "characters, not bytes");
}

/// What is missing is called missing.
#[test]
fn is_told_what_is_missing() {
    let missing = "profile_missing_key";
    told(
        CANTEEN,
        &[
            ("id = \"probe\"\n", "", "probe.toml: id", missing, ["`id` is missing", "hier fehlt `id`"]),
            (
                "issuer_scope = [\"de:05112000\"]\n",
                "",
                "probe.toml: issuer_scope",
                missing,
                ["`issuer_scope` is missing", "`issuer_scope` fehlt"],
            ),
            (
                "\"de:05112000\"",
                "\"de:*\", \"fr:*\"",
                "probe.toml:5: issuer_scope.2",
                "profile_value",
                ["a scope is", "ein Geltungsbereich ist"],
            ),
            (
                "[match]",
                "[limits]\nretries = 4\n[match]",
                "probe.toml:10: limits.retries",
                "profile_value",
                ["0 to 3", "0 bis 3"],
            ),
            (
                "title = \"Canteen\"",
                "title = „Mensa“",
                "probe.toml:4",
                "profile_syntax",
                ["typographic quotation mark", "typografisches Anführungszeichen"],
            ),
            (
                "schema = 1",
                "schema = \"1\"",
                "probe.toml:1: schema",
                "profile_schema",
                ["without quotation marks", "ohne Anführungszeichen"],
            ),
        ],
    );
}

/// Fault 25. Key material is found in values, in comments and under other names; bytes are no unknown key but forbidden.
#[test]
fn holds_no_key_and_no_bytes_wherever_they_stand() {
    let (key, bytes) = ("profile_key_material", "profile_raw_bytes");
    let keys = ["keys live in a SAM", "Schlüssel gehören in ein SAM"];
    let method = "method = \"uid\"\n";
    let method_and = |line: &str| format!("{method}{line}\n");
    let (comment, aes) =
        (method_and("# Key A = 1F2E3D4C5B6A"), method_and("aes = \"000102030405060708090A0B0C0D0E0F\""));
    let (word, german) = (method_and("passwort = \"x\""), method_and("schluessel_b = \"x\""));
    let said = method_and("[messages.de]\nunsupported = \"Key A: A0 A1 A2 A3 A4 A5\"\n[x]");
    let title = "title = \"Club tag\"";
    told(
        TAG,
        &[
            (method, &comment, "probe.toml:16", key, keys),
            (method, &aes, "probe.toml:16: identify.aes", key, keys),
            (method, &word, "probe.toml:16: identify.passwort", key, keys),
            (method, &german, "probe.toml:16: identify.schluessel_b", key, keys),
            (method, &said, "probe.toml:17: messages.de.unsupported", key, keys),
            ("\"dec\"]", "\"prefix:FFFFFFFFFFFF\"]", "probe.toml:16: identify.uid_transform.2", key, keys),
            ("layout of the tag", "-----BEGIN PRIVATE KEY-----", "probe.toml:8: evidence.sources.1", key, keys),
            ("layout of the tag", "sector 1, key D3F7D3F7D3F7", "probe.toml:8: evidence.sources.1", key, keys),
            // An escape hides nothing.
            (title, "title = \"key 1F2E3D4C5B\\u0036A\"", "probe.toml:4: title", key, keys),
        ],
    );
    let forbidden = ["forbidden on principle", "grundsätzlich verboten"];
    let slot = "[[slot]]";
    let escape = |line: &str| format!("[escape]\nfamily = \"acs-ff00\"\n{line}\n[[slot]]");
    let (apdu, commands, command) =
        (escape("apdu = \"FF00\""), escape("commands = [\"FF00\"]"), escape("accept_bytes = \"FF00\""));
    let (family, prefix) =
        ("[escape]\nfamily = \"E000002901\"\n[[slot]]", escape("[signals]\naccept = [\"raw:FF00\"]"));
    told(
        READER,
        &[
            (slot, &apdu, "probe.toml:15: escape.apdu", bytes, forbidden),
            (slot, &commands, "probe.toml:15: escape.commands", bytes, forbidden),
            (slot, &command, "probe.toml:15: escape.accept_bytes", bytes, forbidden),
            (slot, family, "probe.toml:14: escape.family", bytes, forbidden),
            (slot, &prefix, "probe.toml:16: signals.accept.1", bytes, forbidden),
        ],
    );
    let steps = ["steps are named operations", "Schritte sind benannte Befehle"];
    told(
        CANTEEN,
        &[
            (
                "op = \"select_file\", fid = \"0002\"",
                "op = \"apdu\"",
                "probe.toml:20: identify.steps.2.op",
                bytes,
                steps,
            ),
            (
                "{ op = \"select_file\", fid = \"0002\" }",
                "\"00A4040006\"",
                "probe.toml:20: identify.steps.2",
                bytes,
                steps,
            ),
        ],
    );
}
