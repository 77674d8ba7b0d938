//! A scanner that is plugged in as a keyboard: what it types, from the first character of a code to its Enter.
//!
//! Letters have no other use in this window. Digits have on the pages with a pad, where a number is a number whoever types
//! it. Nothing of a code reaches a key or a field.

use std::{cell::RefCell, rc::Rc, time::Duration};

use slint::{Timer, TimerMode};

/// Scanners send a character every few milliseconds. After this long it was a finger, and means nothing.
const PAUSE: Duration = Duration::from_millis(500);
/// Shorter than any code: a slip of the hand.
const LEAST_CHARACTERS: usize = 5;
/// Bytes that are kept, a little more than `card::code` looks at: a longer text is refused there.
const MOST_BYTES: usize = 2_100;

/// What a key was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Not a scanner's.
    Key,
    /// Part of a code, or a slip: taken.
    Part,
    /// The end of this code.
    Code(String),
}

/// What was typed so far.
#[derive(Default)]
pub(super) struct Scanner {
    text: Rc<RefCell<String>>,
    pause: Timer,
}

impl Scanner {
    /// Takes a key's text as Slint gives it; `digits`: whether a digit may begin a code.
    pub(super) fn take(&self, key: &str, digits: bool) -> Typed {
        let mut characters = key.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else { return Typed::Key };
        let mut text = self.text.borrow_mut();
        // Slint's names of keys without a character lie in the private use area.
        let special = matches!(character, '\u{e000}'..='\u{f8ff}');
        if matches!(character, '\n' | '\r' | '\t') && !text.is_empty() {
            self.pause.stop();
            let code = std::mem::take(&mut *text);
            return if code.chars().count() < LEAST_CHARACTERS { Typed::Part } else { Typed::Code(code) };
        }
        // Shift comes between the characters and belongs to nobody.
        if character.is_control() || special {
            return Typed::Key;
        }
        let begins = character.is_alphabetic() || character == ']' || (digits && character.is_ascii_digit());
        if text.is_empty() && !begins {
            return Typed::Key;
        }
        if text.len() < MOST_BYTES {
            text.push(character);
        }
        let forget = Rc::clone(&self.text);
        self.pause.start(TimerMode::SingleShot, PAUSE, move || forget.borrow_mut().clear());
        Typed::Part
    }
}
