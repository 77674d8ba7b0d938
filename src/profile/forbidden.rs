//! What has no place in any profile, wherever it stands: keys of cards, in values and in comments, and bytes for a reader.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    error::Fault,
    rule::Rule,
    text::{key_at, visit},
};

/// Most regular expressions in one profile.
const MAX_EXPRESSIONS: usize = 32;

/// The keys of MIFARE Classic that everybody knows.
const KNOWN_KEYS: [&str; 9] = [
    "FFFFFFFFFFFF",
    "000000000000",
    "A0A1A2A3A4A5",
    "B0B1B2B3B4B5",
    "C0C1C2C3C4C5",
    "D3F7D3F7D3F7",
    "4D3A99C351DD",
    "1A982C7E459A",
    "AABBCCDDEEFF",
];

/// Digits of a key: MIFARE Classic, DES, AES and two-key 3DES, three-key 3DES.
const KEY_DIGITS: [usize; 4] = [12, 16, 32, 48];

/// The first thing that is forbidden: its dotted key, empty in a comment, its place, and why. Looked for before the typed
/// reading, so that the answer is not merely "unknown key" and no expression is compiled in vain.
pub(super) fn find(text: &str, table: &DeTable<'_>) -> Option<(String, Range<usize>, Fault)> {
    in_values(table).or_else(|| {
        let span = key_material(text)?;
        Some((key_at(table, span.start).unwrap_or_default(), span, Rule::KeyMaterial.into()))
    })
}

fn in_values(table: &DeTable<'_>) -> Option<(String, Range<usize>, Fault)> {
    let mut expressions = 0;
    visit(table, "", &mut |name, key_span, value| {
        // Members of lists are numbers.
        let mut parts = name.rsplit('.').filter(|part| part.parse::<u32>().is_err());
        let (last, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_member = name.rsplit('.').next() != Some(last);
        expressions += usize::from(!is_member && matches!(last, "regex" | "name_regex" | "firmware_text"));
        if expressions > MAX_EXPRESSIONS {
            return Some((name.to_owned(), key_span, Rule::PatternCount.into()));
        }
        if names_a_key(last) {
            return Some((name.to_owned(), key_span, Rule::KeyMaterial.into()));
        }
        let steps = name.starts_with("identify.");
        let bytes = || if steps { Rule::RawCommand.into() } else { Rule::RawBytes.into() };
        if names_bytes(above, last) {
            return Some((name.to_owned(), key_span, bytes()));
        }
        let signals = name.starts_with("signals.");
        let is_step = is_member && last == "steps";
        match value.get_ref() {
            // What an escape hides from a look at the file's own characters.
            DeValue::String(text) if last != "mask" && (key_material(text).is_some() || commands_a_key(text)) => {
                Some((name.to_owned(), value.span(), Rule::KeyMaterial.into()))
            }
            DeValue::String(text) if (signals || is_step || last == "family") && looks_like_bytes(text) => {
                Some((name.to_owned(), value.span(), bytes()))
            }
            DeValue::String(text) if last == "op" && matches!(&**text, "apdu" | "raw" | "transmit" | "command") => {
                Some((name.to_owned(), value.span(), bytes()))
            }
            DeValue::Integer(_) if signals => Some((name.to_owned(), value.span(), bytes())),
            _ => None,
        }
    })
}

fn names_a_key(name: &str) -> bool {
    let name = name.to_lowercase();
    let keys_from = name == "keys_from";
    !keys_from && name.split(['_', '-']).any(is_a_word_for_a_key)
}

/// A word that speaks of a key: by itself, or as the end of a longer one, as German makes them. (In English that would be
/// the name of a maker of readers, too.)
fn is_a_word_for_a_key(word: &str) -> bool {
    const WHOLE: [&str; 19] = [
        "key",
        "keys",
        "keya",
        "keyb",
        "readkey",
        "writekey",
        "masterkey",
        "sectorkey",
        "cardkey",
        "accesskey",
        "secret",
        "password",
        "pin",
        "pins",
        "geheimnis",
        "geheim",
        "aes",
        "des",
        "3des",
    ];
    const ENDS: [&str; 4] = ["passwort", "kennwort", "schluessel", "schlüssel"];
    WHOLE.contains(&word) || ENDS.iter().any(|end| word.ends_with(end))
}

/// A key for bytes to be sent, where verbs and steps stand.
fn names_bytes(above: &str, name: &str) -> bool {
    let sending = matches!(above, "escape" | "signals" | "steps" | "identify" | "");
    sending
        && name
            .split(['_', '-'])
            .any(|part| matches!(part, "apdu" | "apdus" | "bytes" | "raw" | "command" | "commands"))
}

/// Key material in a text: a key that everybody knows, a PEM block, or bytes as long as a key in a line that speaks of one.
fn key_material(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let found = in_line(line).map(|span| start + span.start..start + span.end);
        if found.is_some() {
            return found;
        }
        start += line.len();
    }
    None
}

fn in_line(line: &str) -> Option<Range<usize>> {
    if let Some(at) = line.find("-----BEGIN ") {
        return Some(at..line.len());
    }
    let lower = line.to_lowercase();
    // `mask = "FFFFFFFFFFFF"` masks an ATR of six bytes.
    let masks = lower.split(|c: char| !c.is_alphanumeric()).any(|word| word == "mask");
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let speaks_of_keys = words.filter(|word| *word != "keys_from").any(|word| word.split('_').any(is_a_word_for_a_key));
    hex_runs(line).into_iter().find_map(|(span, digits)| {
        let known = !masks && KNOWN_KEYS.contains(&digits.as_str());
        // Twelve or sixteen decimal digits are rather a number of a card or of an office.
        let number = digits.len() < 32 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let suspect = speaks_of_keys && KEY_DIGITS.contains(&digits.len()) && !number;
        (known || suspect).then_some(span)
    })
}

/// Words that are hexadecimal digits, with or without `0x`, and rows of such pairs with a sign or a comma between; with the
/// digits in upper case.
fn hex_runs(line: &str) -> Vec<(Range<usize>, String)> {
    let mut runs: Vec<(Range<usize>, String)> = Vec::new();
    let mut pairs = false;
    let mut next = 0;
    for word in line.split(|c: char| !c.is_alphanumeric()) {
        let start = next;
        // One sign parts a word from the next.
        let sign = line[start + word.len()..].chars().next().map_or(0, char::len_utf8);
        next = start + word.len() + sign;
        if word.is_empty() {
            continue;
        }
        let span = start..start + word.len();
        let word = ["0x", "0X"].iter().find_map(|head| word.strip_prefix(head)).unwrap_or(word);
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            pairs = false;
            continue;
        }
        let digits = word.to_ascii_uppercase();
        match runs.last_mut() {
            Some((row, row_digits))
                if pairs && word.len() == 2 && matches!(&line[row.end..start], " " | ":" | "-" | "," | ", ") =>
            {
                row.end = span.end;
                row_digits.push_str(&digits);
            }
            _ => runs.push((span, digits)),
        }
        pairs = word.len() == 2;
    }
    runs
}

/// The commands of PC/SC part 3 that load a key or use it.
fn commands_a_key(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '-')).collect::<String>().to_uppercase();
    looks_like_bytes(&compact) && (compact.starts_with("FF82") || compact.starts_with("FF86"))
}

fn looks_like_bytes(text: &str) -> bool {
    let text =
        ["raw:", "apdu:", "bytes:", "hex:", "0x"].iter().find_map(|head| text.strip_prefix(head)).unwrap_or(text);
    let mut digits = text.trim_start_matches("0x").chars().filter(|c| !matches!(c, ' ' | ':' | ',')).peekable();
    let (mut count, mut all) = (0, digits.peek().is_some());
    digits.for_each(|digit| {
        count += 1;
        all &= digit.is_ascii_hexdigit();
    });
    count >= 2 && all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_what_only_looks_like_one_is_not() {
        let keys = [
            "# Key A = A0A1A2A3A4A5",
            "sources = [\"Sektor 1, Schluessel A0A1A2A3A4A5\"]",
            "unsupported = \"Key A: ff ff ff ff ff ff\"",
            "uid_transform = [\"prefix:FFFFFFFFFFFF\"]",
            "sources = [\"-----BEGIN PRIVATE KEY-----\"]",
            "# Schlüssel: 1f:2e:3d:4c:5b:6a",
            "# AES 000102030405060708090A0B0C0D0E0F",
            "# key_b 1F2E3D4C5B6A",
            "# DES-Schlüssel 0123456789ABCDEF",
            "# transport: D3F7D3F7D3F7",
            "# 3DES 000102030405060708090A0B0C0D0E0F0001020304050607",
            "# 0xFFFFFFFFFFFF",
            "# Key A: 0xFF 0xFF 0xFF 0xFF 0xFF 0xFF",
            "# Schlüssel: 0x1A, 0x2B, 0x3C, 0x4D, 0x5E, 0x6F",
            "# Schlüssel=0X1A2B3C4D5E6F",
            "# AES 0x00112233445566778899AABBCCDDEEFE",
            "# Sektorschlüssel 1A2B3C4D5E6F",
            "# ReadKey 1A,2B,3C,4D,5E,6F",
        ];
        for text in keys {
            assert!(key_material(text).is_some(), "{text}");
        }
        let none = [
            "atr = \"3B8F8001804F0CA000000306030001000000006A\" # no key is needed",
            "aid = \"D27600008501\"",
            "# the key of the table below is the AID A000000308000010000100",
            "mask = \"FFFFFFFFFFFF\"",
            "uid = \"04782E21801D80\" # made up, no key",
            "# Regionalschlüssel 091620000000",
            "# Schlüssel des Kreises: 05112000, Nummer 491700000042",
            "usb = [\"0x072F:0x2224\"] # no key",
            "name = \"HID Global OMNIKEY 5022 Smart Card Reader [OMNIKEY 5022 Smart Card Reader] (KJ1F2E3D4C5B6A) 1F2E3D4C5B6A 00 00\"",
            "# Gemeindeschlüssel 10, 20, 30, 40, 50, 60",
            "# key number 491700000042",
            "keys_from = \"none\" # AID D27600008501",
            "text = \"https://x.example/?n=4917&picc_data=EF963FF7828658A599F3041510671E88\"",
            "# a face, a bead, decade, 12 ab",
            "sha = \"1F2E3D4C5B6A\"",
            "# ä1F2E3D4C5B6A key",
        ];
        for text in none {
            assert_eq!(key_material(text), None, "{text}");
        }
        let line = "title = \"x\"\n# key 1F2E3D4C5B6A\n";
        assert_eq!(key_material(line).map(|span| &line[span]), Some("1F2E3D4C5B6A"));
    }
}
