//! Keys → characters, for a scanner that is read as a device.
//!
//! The device sends positions on a keyboard (Linux `input-event-codes.h`); which character a position means depends on
//! the layout that the *scanner* believes in. The layout of the machine has no part in it.

use std::fmt;

use super::Typed;

/// The layout a scanner was set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// American: as most scanners come.
    #[default]
    Us,
    /// German: Y and Z have changed places, signs stand elsewhere.
    De,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// It went down.
    Down,
    /// It went up.
    Up,
    /// It is held; the kernel repeats it. A scanner holds no key, but a stuck one must not type for ever.
    Repeat,
}

const TAB: u16 = 15;
const ENTER: u16 = 28;
const LEFT_CTRL: u16 = 29;
const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_ALT: u16 = 56;
const CAPS_LOCK: u16 = 58;
const KEYPAD_ENTER: u16 = 96;
const RIGHT_CTRL: u16 = 97;
const RIGHT_ALT: u16 = 100;

/// Rows of keys from one position on: the code of the first, what they type, and what they type with Shift.
type Rows = [(u16, &'static str, &'static str)];

/// Keys that type the same everywhere: letters by their American place, the keypad, space.
const LETTERS: &Rows = &[
    (16, "qwertyuiop", "QWERTYUIOP"),
    (30, "asdfghjkl", "ASDFGHJKL"),
    (44, "zxcvbnm", "ZXCVBNM"),
    (57, " ", " "),
    (55, "*", "*"),
    (71, "789-456+1230.", "789-456+1230."),
    (98, "/", "/"),
];
const SIGNS_US: &Rows = &[
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (26, "[]", "{}"),
    (39, ";'`", ":\"~"),
    (43, "\\", "|"),
    (51, ",./", "<>?"),
    (86, "\\", "|"),
];
const SIGNS_DE: &Rows = &[
    (2, "1234567890ß´", "!\"§$%&/()=?`"),
    (26, "ü+", "Ü*"),
    (39, "öä^", "ÖÄ°"),
    (43, "#", "'"),
    (51, ",.-", ";:_"),
    (86, "<", ">"),
];

/// One keyboard: which of its modifiers are down.
#[derive(Clone, Default)]
pub struct Keyboard {
    layout: Layout,
    shifts: u8,
    /// Ctrl and Alt: with them a key types nothing that belongs to a code. Scanners send STX and GS so.
    others: u8,
    caps: bool,
}

impl fmt::Debug for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyboard").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Keyboard {
    /// Nothing is down.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// What the key with this code came to, if anything.
    pub fn key(&mut self, code: u16, stroke: Stroke) -> Option<Typed> {
        let (shift, other) = (modifier(code, [LEFT_SHIFT, RIGHT_SHIFT]), modifier(code, OTHERS));
        match stroke {
            Stroke::Repeat => return None,
            Stroke::Down => {
                self.shifts |= shift;
                self.others |= other;
            }
            Stroke::Up => {
                self.shifts &= !shift;
                self.others &= !other;
                return None;
            }
        }
        match code {
            _ if shift | other != 0 => None,
            CAPS_LOCK => {
                self.caps = !self.caps;
                None
            }
            ENTER | KEYPAD_ENTER | TAB => Some(Typed::End),
            _ if self.others != 0 => None,
            _ => self.character(code).map(Typed::Character),
        }
    }

    fn character(&self, code: u16) -> Option<char> {
        let german = self.layout == Layout::De;
        let signs = if german { SIGNS_DE } else { SIGNS_US };
        // German changes the places of Y (21) and Z (44).
        let code = match (german, code) {
            (true, 21) => 44,
            (true, 44) => 21,
            _ => code,
        };
        let find = |rows: &Rows, shifted: bool| {
            rows.iter().find_map(|(first, plain, with_shift)| {
                let row = if shifted { with_shift } else { plain };
                row.chars().nth(usize::from(code.checked_sub(*first)?))
            })
        };
        let shift = self.shifts != 0;
        // Caps Lock is for letters alone; on a German keyboard for umlauts as well.
        find(LETTERS, shift != self.caps).or_else(|| {
            let plain = find(signs, false)?;
            find(signs, if plain.is_alphabetic() && plain != 'ß' { shift != self.caps } else { shift })
        })
    }
}

const OTHERS: [u16; 4] = [LEFT_CTRL, RIGHT_CTRL, LEFT_ALT, RIGHT_ALT];

/// A bit of its own for each of these keys, 0 for all others.
fn modifier<const N: usize>(code: u16, keys: [u16; N]) -> u8 {
    keys.iter().position(|key| *key == code).map_or(0, |at| 1 << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keyboard: &mut Keyboard, keys: &[(u16, Stroke)]) -> String {
        let typed = keys.iter().filter_map(|(code, stroke)| keyboard.key(*code, *stroke));
        typed.map(|typed| if let Typed::Character(c) = typed { c } else { '\n' }).collect()
    }

    fn tap(codes: &[u16]) -> Vec<(u16, Stroke)> {
        codes.iter().flat_map(|code| [(*code, Stroke::Down), (*code, Stroke::Up)]).collect()
    }

    /// Fault 23.
    #[test]
    fn keys_become_characters_of_the_scanners_layout() {
        // B I K T 1, Y Z, keypad 7 and 0, Enter.
        let keys = tap(&[48, 23, 37, 20, 2, 21, 44, 71, 82, 28]);
        assert_eq!(typed(&mut Keyboard::new(Layout::Us), &keys), "bikt1yz70\n");
        assert_eq!(typed(&mut Keyboard::new(Layout::De), &keys), "bikt1zy70\n");
        let signs = tap(&[12, 13, 26, 39, 53]);
        assert_eq!(typed(&mut Keyboard::new(Layout::Us), &signs), "-=[;/");
        assert_eq!(typed(&mut Keyboard::new(Layout::De), &signs), "ß´üö-");
    }

    #[test]
    fn modifiers_count_while_they_are_down() {
        use Stroke::{Down, Repeat, Up};
        let mut us = Keyboard::new(Layout::Us);
        let shifted = [(42, Down), (48, Down), (48, Up), (2, Down), (2, Up), (42, Up), (48, Down), (48, Up)];
        assert_eq!(typed(&mut us, &shifted), "B!b");
        // Two Shifts: the one that is still down counts.
        assert_eq!(typed(&mut us, &[(42, Down), (54, Down), (42, Up), (30, Down), (54, Up), (30, Up)]), "A");
        // Caps Lock turns letters, not digits, and Shift turns them back.
        assert_eq!(
            typed(&mut us, &[(58, Down), (58, Up), (30, Down), (2, Down), (42, Down), (30, Down), (42, Up)]),
            "A1a"
        );
        assert_eq!(typed(&mut us, &[(58, Down), (58, Up), (30, Down)]), "a");
        // STX as Ctrl+B, a character by Alt and the keypad: no part of a code.
        assert_eq!(
            typed(&mut us, &[(29, Down), (48, Down), (29, Up), (56, Down), (79, Down), (56, Up), (30, Down)]),
            "a"
        );
        // A key that is stuck.
        assert_eq!(typed(&mut us, &[(30, Down), (30, Repeat), (30, Repeat), (30, Up)]), "a");
    }

    proptest::proptest! {
        #[test]
        fn no_key_panics(keys in proptest::collection::vec((0_u16.., 0_u8..3), 0..64)) {
            for layout in [Layout::Us, Layout::De] {
                let mut keyboard = Keyboard::new(layout);
                for (code, stroke) in &keys {
                    let stroke = [Stroke::Down, Stroke::Up, Stroke::Repeat][usize::from(*stroke)];
                    let _ = keyboard.key(*code, stroke);
                }
            }
        }
    }
}
