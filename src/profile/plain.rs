//! Plain words for what the TOML reader and serde say of a file. Whoever writes a profile reads here what to write, and
//! nothing of how this program is built; every such sentence is made in this one place.

use super::{
    error::{Detail, Fault},
    part::Part,
    rule::Rule,
};

/// What a message of serde about a key means, and the key it misses, which is below the place that the message is about.
pub(super) fn typing<'m>(message: &'m str, key: Option<&str>) -> (Fault, Option<&'m str>) {
    let quoted = |head| message.strip_prefix(head)?.split_once('`');
    if let Some((name, rest)) = quoted("unknown field `") {
        (unknown(Rule::UnknownKey, Rule::UnknownKeyMeant, name, rest), None)
    } else if let Some((name, rest)) = quoted("unknown variant `") {
        (unknown(Rule::UnknownWord, Rule::UnknownWordMeant, name, rest), None)
    } else if let Some((name, _)) = quoted("missing field `") {
        (Rule::Missing.of([name]), Some(name))
    } else {
        let fault = Fault::read(message).or_else(|| value(message, key));
        (fault.unwrap_or_else(|| Rule::Unexpected.with([Detail::Foreign(message.into())])), None)
    }
}

/// The key that a message of serde does not know.
pub(super) fn unknown_key(message: &str) -> Option<&str> {
    Some(message.strip_prefix("unknown field `")?.split_once('`')?.0)
}

/// What a message of the TOML reader about these characters means, with what stands before them in their line.
pub(super) fn syntax(message: &str, before: &str, there: &str) -> Fault {
    let said = Detail::Foreign(message.replace('\n', "; ").into());
    if let Some(quote) = there.chars().find(|c| matches!(c, '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»'))
    {
        return Rule::SyntaxQuotes.of([&quote.to_string()]);
    }
    if message == "duplicate key" && !there.is_empty() {
        return match before.trim_start().strip_prefix('[') {
            Some(path) if !path.starts_with('[') => Rule::SyntaxHeadingTwice.of([&format!("{path}{there}"); 2]),
            _ => Rule::SyntaxDuplicate.of([there]),
        };
    }
    if message.contains("escape") { Rule::SyntaxBackslash.with([said]) } else { Rule::Syntax.with([said]) }
}

/// "invalid type: string "x", expected a sequence" → "the text "x" stands here; a list in [ ] is expected".
fn value(message: &str, key: Option<&str>) -> Option<Fault> {
    let (kind, rest) =
        message.split_once(": ").or_else(|| Some(("invalid length", message.strip_prefix("invalid length ")?)))?;
    if !matches!(kind, "invalid type" | "invalid value" | "invalid length") {
        return None;
    }
    let (there, wanted) = rest.rsplit_once(", expected ")?;
    let found = match there.split_once(' ') {
        _ if kind == "invalid length" => Part::ListOf.of(there),
        Some(("string", text)) => Part::Text.of(text),
        Some(("integer", number)) => Part::Number.of(number.trim_matches('`')),
        Some(("floating", rest)) => Part::Number.of(rest.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", word)) => Part::Quoted.of(word.trim_matches('`')),
        _ => match there {
            "sequence" => Part::List.into(),
            "map" => Part::Table.into(),
            _ => Part::SomethingElse.into(),
        },
    };
    let expected = match key {
        Some(key) if wanted == "a sequence" && there == "map" => Part::ListHeading.of(key),
        _ => expected(wanted),
    };
    Some(Rule::TypeExpected.with([found, expected]))
}

fn expected(wanted: &str) -> Detail {
    let number = |from: &str, to: &str| Part::ANumber.with([from.into(), to.into()]);
    match wanted {
        "a sequence" => Part::AList.into(),
        "u8" => number("0", "255"),
        "u16" => number("0", "65535"),
        "u32" => number("0", "4294967295"),
        "i16" => number("-32768", "32767"),
        "a string" | "string" | "string or table" => Part::AText.into(),
        "a boolean" => Part::TrueOrFalse.into(),
        "a tuple of size 2" | "a tuple of size 2 or an array of size 2" => Part::TwoNumbers.into(),
        _ if wanted.contains("variant") || wanted.starts_with("enum ") => Part::AWord.into(),
        _ if wanted == "a map" || wanted.starts_with("struct ") || wanted.contains("tagged enum") => {
            Part::ATable.into()
        }
        other => Detail::Foreign(other.into()),
    }
}

/// `rest` is what follows the name: ", expected one of `a`, `b`".
fn unknown(plain: Rule, meant: Rule, name: &str, rest: &str) -> Fault {
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    let list = if list.is_empty() { Part::Nothing.into() } else { Detail::from(list.join(", ")) };
    match nearest(name, &known) {
        Some(near) => meant.with([name.into(), near.into(), list]),
        None => plain.with([name.into(), list]),
    }
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
                "the key `wendor` is not known here; is `vendor` meant? Known: `id`, `vendor`",
            ),
            (
                "unknown field `colour`, expected `os` or `regex`",
                "the key `colour` is not known here. Known: `os`, `regex`",
            ),
            ("unknown field `x`, there are no fields", "the key `x` is not known here. Known: nothing"),
            (
                "unknown variant `contactles`, expected `contactless` or `contact`",
                "the word `contactles` is not known here; is `contactless` meant? Known: `contactless`, `contact`",
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
                "`true` stands here; a text in quotation marks is expected",
            ),
            (
                "invalid length 1, expected a tuple of size 2",
                "a list of 1 stands here; a list of 2 numbers is expected",
            ),
            ("an AID has 5 to 16 bytes", "an AID has 5 to 16 bytes"),
        ];
        for (message, told) in cases {
            assert_eq!(typing(message, None).0.to_string(), told);
        }
        assert_eq!(typing("missing field `title`", None).1, Some("title"));
        let (slot, _) = typing("invalid type: map, expected a sequence", Some("slot"));
        assert_eq!(slot.to_string(), "a table stands here; a heading in two pairs of brackets, [[slot]] is expected");
    }

    #[test]
    fn what_the_reader_of_toml_says_becomes_what_to_write() {
        let cases = [
            ("duplicate key", "", "vendor", "`vendor` stands there twice"),
            ("duplicate key", "[", "slot", "[slot] stands there twice; several of them are written [[slot]]"),
            ("duplicate key", "[tests.", "name", "several of them are written [[tests.name]]"),
            ("string values must be quoted", "title = ", "„Acme“", "`„` is a typographic quotation mark"),
            ("unclosed array, expected `]`", "", "", "this is not TOML: unclosed array, expected `]`"),
        ];
        for (message, before, there, told) in cases {
            let found = syntax(message, before, there).to_string();
            assert!(found.contains(told), "{found}");
        }
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
