//! What one file may not say, and in which words it is told so.

use super::*;

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
        ("number = \"4917\"", "number = \"4918\"", "profile_sample", "tests.ndef.1"),
        ("n=1&n=2", "n=1", "profile_sample", "tests.ndef.2"),
        ("parameter = \"n\"", "regex = \"n=(5+)\"", "profile_sample", "identify.ndef.regex"),
        ("number = \"4917\"\n", "", "profile_missing_key", "tests.ndef"),
        ("record = \"uri\"", "record = \"text\"", "profile_method", "identify.ndef.parameter"),
        ("parameter = \"n\"", "regex = \"n=[0-9]+\"", "profile_pattern", "identify.ndef.regex"),
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
        (READER, "sources = [\"none\"]\n", String::new(), "probe.toml:8: evidence.sources: `sources` is missing here"),
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
        let found = load(&text, Layer::Local).map(drop).inspect_err(|error| is_german(&error.fault));
        let found = found.map_or_else(|error| error.to_string(), |()| "nothing".to_owned());
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
        assert_eq!((code, line, key.as_str()), ("profile_payment", Some(17), "identify.steps.1.aid"), "{aid}");
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
    let (slice, reads) = ("identify.extract.slice", "tests.read.1");
    let regex = |text: &str| format!("regex = \"{text}\", decode = \"ascii\"");
    let cases: [(&str, &str, &str, Option<(&str, &str)>); 19] = [
        (block, digits, &right, None),
        (block, hex, &right.replace("\"4917", "\"34393137"), None),
        (block, "slice = [12, 4], decode = \"ascii\"", &sample("00000000000000000000000034393137", "4917"), None),
        (block, "slice = [0, 32], decode = \"ascii\"", &right, Some(("profile_value", slice))),
        (block, "slice = [13, 4], decode = \"ascii\"", &right, Some(("profile_value", slice))),
        (block, "slice = [65535, 1], decode = \"ascii\"", &right, Some(("profile_value", slice))),
        (&block.replace("16", "4"), "slice = [0, 5], decode = \"ascii\"", &right, Some(("profile_value", slice))),
        (block, "slice = [0, 0], decode = \"ascii\"", &right, Some(("profile_value", slice))),
        // More digits than a number has, more bytes than a number is counted from.
        (file, "slice = [0, 33], decode = \"hex\"", &right, Some(("profile_value", slice))),
        (file, "slice = [0, 17], decode = \"uint-be\"", &right, Some(("profile_value", slice))),
        (file, &regex("NR=[0-9]+"), &right, Some(("profile_pattern", "identify.extract.regex"))),
        (file, &regex("NR=([0-9]+)"), &sample("4E523D343931370000", "4917"), None),
        (file, &regex("NR=([0-9]+)"), "bytes = \"34393137\"", Some(("profile_missing_key", "tests.read"))),
        (file, &regex("NR=([0-9]+)"), &right, Some(("profile_sample", "identify.extract.regex"))),
        (block, digits, &sample("34393137", "4918"), Some(("profile_sample", reads))),
        // Padding is no digit: a slice takes what stands there.
        (block, digits, &sample("34393100", "491"), Some(("profile_sample", reads))),
        (block, digits, &sample("34", "4"), Some(("profile_sample", reads))),
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
        ("status = \"untested\"\nsources = [\"x\"]\ntranscripts = [\"../x.apdu\"]", fault(10, "evidence.transcripts")),
    ];
    for (text, expected) in cases {
        assert_eq!(evidence(text), expected, "{text}");
    }
}
