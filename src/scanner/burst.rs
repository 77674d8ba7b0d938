//! Keys → codes, where a scanner types into the window like everybody else.
//!
//! A scanner is told from fingers by what it begins with and by its pace: letters have no other use in the window, and no
//! more than a short pause may lie between two keys of a code. Who owns the keys keeps that time, and calls
//! [`Burst::pause`] when it is over. Nothing of a code reaches a key or a field, and so no amount.

use std::{fmt, mem, time::Duration};

/// Shorter than any code: a slip of the hand.
const LEAST_CHARACTERS: usize = 5;
/// Bytes that are kept, a little more than `card::code` looks at: a longer text is refused there.
const MOST_BYTES: usize = 2_100;

/// What becomes of a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not a scanner's: it goes where it would have gone.
    Key,
    /// Part of a code, or a slip: nobody gets it.
    Part,
    /// The end of this code.
    Code(String),
}

impl fmt::Debug for Verdict {
    /// A code is somebody's identity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("Key"),
            Self::Part => f.write_str("Part"),
            Self::Code(text) => write!(f, "Code({} bytes)", text.len()),
        }
    }
}

/// What was typed of a code so far.
#[derive(Clone, Default)]
pub struct Burst(String);

impl fmt::Debug for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Burst({} bytes)", self.0.len())
    }
}

impl Burst {
    /// Longest pause between two keys of one code. Scanners send a character every few milliseconds, and the second burst
    /// of a long code well within this time.
    pub const PAUSE: Duration = Duration::from_millis(500);

    /// Takes a key by its text, one character; `digits` says whether a digit may begin a code, which it may not where
    /// digits are typed.
    pub fn key(&mut self, key: &str, digits: bool) -> Verdict {
        let mut characters = key.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else { return Verdict::Key };
        if matches!(character, '\n' | '\r' | '\t') && !self.0.is_empty() {
            let code = mem::take(&mut self.0);
            return if code.chars().count() < LEAST_CHARACTERS { Verdict::Part } else { Verdict::Code(code) };
        }
        // Keys without a character lie in the private use area. Shift comes between the characters and belongs to nobody.
        if character.is_control() || matches!(character, '\u{e000}'..='\u{f8ff}') {
            return Verdict::Key;
        }
        // `]` begins the name of a symbology that some scanners send before a code.
        let begins = character.is_alphabetic() || character == ']' || (digits && character.is_ascii_digit());
        if self.0.is_empty() && !begins {
            return Verdict::Key;
        }
        if self.0.len() < MOST_BYTES {
            self.0.push(character);
        }
        Verdict::Part
    }

    /// [`Burst::PAUSE`] has passed since the last key: it was a finger, and means nothing.
    pub fn pause(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: &str = "\u{e010}";
    const PAUSE: &str = "pause";

    /// What reached the fields, and what was scanned; [`PAUSE`] stands for one.
    fn play(keys: &[&str], digits: bool) -> (String, Vec<String>) {
        let (mut burst, mut field, mut scanned) = (Burst::default(), String::new(), Vec::new());
        for key in keys {
            if *key == PAUSE {
                burst.pause();
                continue;
            }
            match burst.key(key, digits) {
                Verdict::Key => field += key,
                Verdict::Part => {}
                Verdict::Code(code) => scanned.push(code),
            }
        }
        (field, scanned)
    }

    fn keys(text: &str) -> Vec<&str> {
        text.split("").filter(|key| !key.is_empty()).collect()
    }

    /// Fault 23: nothing of a code reaches a field, whatever page is open.
    #[test]
    fn a_code_is_gathered_and_never_typed() {
        for digits in [false, true] {
            for code in ["BIKN112345678", "bikn1123", "]Q1BIKS1QA25", "https://a.de/1", "BIKT1"] {
                assert_eq!(play(&keys(&format!("{code}\n")), digits), (String::new(), vec![code.to_owned()]), "{code}");
            }
            // Capitals with Shift; two codes in a row; a code in two bursts.
            let shifted = [&[SHIFT, "B", SHIFT, "I"][..], &keys("KN1\nBIKN2\n")].concat();
            let (field, scanned) = play(&shifted, digits);
            assert_eq!(
                (field.replace(SHIFT, ""), scanned),
                (String::new(), vec!["BIKN1".to_owned(), "BIKN2".to_owned()])
            );
        }
        // Digits alone are a code where nobody types digits, and a number where somebody does.
        assert_eq!(play(&keys("1234567\n"), true), (String::new(), vec!["1234567".to_owned()]));
        assert_eq!(play(&keys("1234567\n"), false), ("1234567\n".to_owned(), vec![]));
    }

    /// Fault 23.
    #[test]
    fn fingers_type_no_code() {
        // A slip, a letter that nothing follows, Enter and Escape alone.
        assert_eq!(play(&keys("abc\n"), false), (String::new(), vec![]));
        assert_eq!(play(&["a", PAUSE, "4", "5", "\n"], false), ("45\n".to_owned(), vec![]));
        assert_eq!(play(&["\n", "\u{1b}", "\u{8}"], true), ("\n\u{1b}\u{8}".to_owned(), vec![]));
        // A scanner that stops in the middle leaves nothing behind.
        assert_eq!(play(&[&keys("BIKN1")[..], &[PAUSE], &keys("450\n")].concat(), false), ("450\n".to_owned(), vec![]));
    }

    proptest::proptest! {
        #[test]
        fn no_key_panics_and_no_code_is_long(keys in proptest::collection::vec("\\PC{0,2}|\n", 0..64), digits: bool) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let (_, scanned) = play(&keys, digits);
            proptest::prop_assert!(scanned.iter().all(|code| code.len() <= MOST_BYTES + 3));
        }
    }
}
