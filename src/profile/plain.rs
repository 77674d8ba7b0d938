//! Plain words for what the TOML reader and serde say of a file. Whoever writes a profile reads here what to write, and
//! nothing of how this program is built; every such sentence is made in this one place.

use super::{error::Fault, pattern::PATTERN_ERROR, signal::VERB_ERROR};

/// What a message of serde means, and the key it misses, which is below the place that the message is about.
pub(super) fn typing(message: &str) -> (Fault, Option<&str>) {
    let quoted = |head| message.strip_prefix(head)?.split_once('`');
    if let Some((key, rest)) = quoted("unknown field `") {
        (Fault::UnknownKey(unknown("key", key, rest)), None)
    } else if let Some((word, rest)) = quoted("unknown variant `") {
        (Fault::UnknownWord(unknown("word", word, rest)), None)
    } else if let Some((key, _)) = quoted("missing field `") {
        (Fault::Missing(format!("`{key}` is missing here")), Some(key))
    } else if message.starts_with(PATTERN_ERROR) {
        (Fault::Pattern(message.to_owned()), None)
    } else if message.starts_with(VERB_ERROR) {
        (Fault::UnknownWord(message.to_owned()), None)
    } else {
        (Fault::Value(value(message).unwrap_or_else(|| message.to_owned())), None)
    }
}

/// What a message of the TOML reader means.
pub(super) fn syntax(message: &str) -> Fault {
    let mut text = message.replace('\n', "; ");
    if message.contains("escape") {
        text.push_str(r#"; in "…" a backslash is written twice, `"\\["`, or the text is put between '…', `'\['`"#);
    }
    Fault::Syntax(text)
}

/// "invalid type: string "x", expected a sequence" → "the text "x" stands here; a list in [ ] is expected".
fn value(message: &str) -> Option<String> {
    let (kind, rest) =
        message.split_once(": ").or_else(|| Some(("invalid length", message.strip_prefix("invalid length ")?)))?;
    if !matches!(kind, "invalid type" | "invalid value" | "invalid length") {
        return None;
    }
    let (there, wanted) = rest.rsplit_once(", expected ")?;
    let there = match there.split_once(' ') {
        _ if kind == "invalid length" => format!("a list of {there}"),
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", rest)) => format!("the number {}", rest.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", word)) => word.trim_matches('`').to_owned(),
        _ => match there {
            "sequence" => "a list".to_owned(),
            "map" => "a table".to_owned(),
            other => other.to_owned(),
        },
    };
    Some(format!("{there} stands here; {} is expected", expected(wanted)))
}

fn expected(wanted: &str) -> String {
    let words = match wanted {
        "a sequence" => "a list in [ ]",
        "u8" => "a number from 0 to 255",
        "u16" => "a number from 0 to 65535",
        "u32" => "a number from 0 to 4294967295",
        "i16" => "a number from -32768 to 32767",
        "a string" | "string" | "string or table" => "a text in quotation marks",
        "a boolean" => "true or false",
        "a map" => "a table, [ ] as a heading or { } in a line",
        "a tuple of size 2" => "a list of 2 numbers",
        _ if wanted.contains("variant") || wanted.starts_with("enum ") => "a word in quotation marks",
        _ if wanted.starts_with("struct ") || wanted.contains("tagged enum") => {
            "a table, [ ] as a heading or { } in a line"
        }
        other => other,
    };
    words.to_owned()
}

/// `rest` is what follows the name: ", expected one of `a`, `b`".
fn unknown(what: &str, name: &str, rest: &str) -> String {
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    if known.is_empty() {
        return format!("the {what} `{name}` is not known here, nor is any other");
    }
    let meant = nearest(name, &known).map(|near| format!("; is `{near}` meant?")).unwrap_or_default();
    format!("the {what} `{name}` is not known here{meant} Known are {}", known.join(", "))
        .replace("here Known", "here. Known")
}

/// The known word that is a slip of the pen away.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |word: &&str| slips(&name.to_lowercase(), word);
    let near = known.iter().copied().min_by_key(distance)?;
    (distance(&near) <= 1 + name.len() / 4).then_some(near)
}

/// Letters to put in, take out or change (Levenshtein's distance).
fn slips(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], line + 1);
        for (column, theirs) in other.iter().enumerate() {
            let change = corner + usize::from(letter != *theirs);
            corner = row[column + 1];
            row[column + 1] = change.min(corner + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_becomes_what_to_write() {
        let cases = [
            (
                "unknown field `wendor`, expected one of `id`, `vendor`",
                "the key `wendor` is not known here; is `vendor` meant? Known are id, vendor",
            ),
            (
                "unknown field `colour`, expected `os` or `regex`",
                "the key `colour` is not known here. Known are os, regex",
            ),
            ("unknown field `x`, there are no fields", "the key `x` is not known here, nor is any other"),
            (
                "unknown variant `contactles`, expected `contactless` or `contact`",
                "the word `contactles` is not known here; is `contactless` meant? Known are contactless, contact",
            ),
            ("missing field `title`", "`title` is missing here"),
            (
                "invalid type: string \"1, 2\", expected a sequence",
                "the text \"1, 2\" stands here; a list in [ ] is expected",
            ),
            (
                "invalid value: integer `300`, expected u8",
                "the number 300 stands here; a number from 0 to 255 is expected",
            ),
            (
                "invalid type: sequence, expected struct GetVersion",
                "a list stands here; a table, [ ] as a heading or { } in a line is expected",
            ),
            (
                "invalid type: boolean `true`, expected a string",
                "true stands here; a text in quotation marks is expected",
            ),
            (
                "invalid length 1, expected a tuple of size 2",
                "a list of 1 stands here; a list of 2 numbers is expected",
            ),
            ("an AID has 5 to 16 bytes", "an AID has 5 to 16 bytes"),
        ];
        for (message, told) in cases {
            assert_eq!(typing(message).0.to_string(), told);
        }
        assert_eq!(typing("missing field `title`").1, Some("title"));
    }

    #[test]
    fn slips_of_the_pen_are_counted() {
        for (one, other, count) in
            [("", "", 0), ("a", "", 1), ("wendor", "vendor", 1), ("max_lee", "max_le", 1), ("abc", "cab", 2)]
        {
            assert_eq!((slips(one, other), slips(other, one)), (count, count), "{one} {other}");
        }
    }
}
