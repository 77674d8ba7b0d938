//! The form of an activation code (protocol, 2) and how it is typed: some ninety characters from paper, by people.
//!
//! Only the letter at each place is judged here; what a complete code says is read by `protocol::activation`.

use std::fmt;

/// First word of every code.
pub const MAGIC: &str = "TEILHABE1";
/// Characters of 16 bytes in base32 (RFC 4648, without padding).
pub const SECRET_CHARS: usize = 26;
/// Digits of the mint time, whole seconds, until the year 2286.
pub const TIME_DIGITS: usize = 10;
/// Root, mint time and secret together.
const TAIL_CHARS: usize = 2 * SECRET_CHARS + TIME_DIGITS;
/// Name or address, colon and port.
const MOST_HOST: usize = 253 + 6;

/// `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
#[must_use]
pub fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_fits = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    let label = |label: &str| {
        let legal = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && legal && !label.starts_with('-') && !label.ends_with('-')
    };
    let host_fits = if let Some(inner) = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        inner.parse::<core::net::Ipv6Addr>().is_ok()
    } else {
        host.len() <= 253 && host.split('.').all(label)
    };
    port_fits && host_fits
}

/// Part of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// [`MAGIC`].
    Magic,
    /// Host and port; ends with a blank.
    Host,
    /// Digest of the root, base32.
    Root,
    /// Mint time, digits.
    Time,
    /// Secret, base32.
    Secret,
}

impl Part {
    /// Characters of it; of the host, the most it may have.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Magic => MAGIC.len(),
            Self::Host => MOST_HOST,
            Self::Time => TIME_DIGITS,
            Self::Root | Self::Secret => SECRET_CHARS,
        }
    }
}

/// One character of what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// The character.
    pub sign: char,
    /// Where it belongs.
    pub part: Part,
    /// Its place within the part, from 0.
    pub place: usize,
    /// No code has this character here.
    pub wrong: bool,
}

/// What is done to the text at its caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// A character is typed.
    Insert(char),
    /// The character before the caret goes.
    Backspace,
    /// The character after the caret goes.
    Delete,
    /// One place to the left.
    Left,
    /// One place to the right.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// A code while it is typed: ASCII, one blank after the host and no other, letters as the code writes them. Blanks that
/// people put between groups are skipped; the characters that paper makes alike are told apart by their place, for base32
/// has no 0, 1 and 8, and a time has no letters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Typing {
    text: String,
    caret: usize,
    /// The last characters as they were typed, in capitals: whoever scans after having typed begins anew.
    recent: String,
}

impl fmt::Debug for Typing {
    /// A code is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typing({} characters, caret {})", self.text.len(), self.caret)
    }
}

impl Typing {
    /// What [`Typing::text`] and [`Typing::recent`] gave, with the caret behind so many characters.
    #[must_use]
    pub fn new(text: &str, caret: usize, recent: &str) -> Self {
        let text: String = text.chars().filter(char::is_ascii).collect();
        let mut typing = Self { caret: caret.min(text.len()), text, recent: recent.to_owned() };
        typing.fold();
        typing
    }

    /// The text as it is: [`MAGIC`] and host in one word, a blank, the rest in one word.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The last characters as they were typed.
    #[must_use]
    pub fn recent(&self) -> &str {
        &self.recent
    }

    /// Characters before the caret.
    #[must_use]
    pub fn caret(&self) -> usize {
        self.caret
    }

    /// The whole code in words, as a scanner would send it.
    #[must_use]
    pub fn words(&self) -> String {
        let (magic, rest) = self.text.split_at(MAGIC.len().min(self.text.len()));
        format!("{magic} {rest}")
    }

    /// Types all of a text: a paste.
    pub fn insert_all(&mut self, text: &str) {
        for character in text.chars() {
            self.edit(Edit::Insert(character));
        }
    }

    /// One key.
    pub fn edit(&mut self, edit: Edit) {
        if !matches!(edit, Edit::Insert(_)) {
            self.recent.clear();
        }
        match edit {
            Edit::Insert(character) => self.insert(character),
            Edit::Backspace if self.caret > 0 => {
                self.caret -= 1;
                self.text.remove(self.caret);
            }
            Edit::Delete if self.caret < self.text.len() => {
                self.text.remove(self.caret);
            }
            Edit::Left => self.caret = self.caret.saturating_sub(1),
            Edit::Right => self.caret = (self.caret + 1).min(self.text.len()),
            Edit::Home => self.caret = 0,
            Edit::End => self.caret = self.text.len(),
            Edit::Backspace | Edit::Delete => {}
        }
        self.fold();
    }

    fn insert(&mut self, character: char) {
        let end = self.text.len();
        let closed = self.tail_at().is_some();
        if character.is_whitespace() {
            if !closed && self.caret > MAGIC.len() && !self.host().is_empty() {
                self.put(' ');
            }
            return;
        }
        if !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']')) {
            return;
        }
        self.recent.push(character.to_ascii_uppercase());
        if self.recent.len() > MAGIC.len() {
            self.recent.remove(0);
        }
        if self.recent == MAGIC {
            MAGIC.clone_into(&mut self.text);
            self.caret = self.text.len();
            return;
        }
        if !closed && self.caret == end && port_is_over(self.host(), character) {
            self.put(' ');
        }
        let room = match self.tail_at() {
            Some(tail) if self.caret >= tail => {
                character.is_ascii_alphanumeric() && self.text.len() - tail < TAIL_CHARS
            }
            _ => self.host().len() < MOST_HOST,
        };
        if room {
            self.put(character);
        }
    }

    fn put(&mut self, character: char) {
        self.text.insert(self.caret, character);
        self.caret += 1;
    }

    /// Where root, time and secret begin: behind the blank.
    fn tail_at(&self) -> Option<usize> {
        self.text.find(' ').map(|blank| blank + 1)
    }

    fn host(&self) -> &str {
        let end = self.text.find(' ').unwrap_or(self.text.len());
        self.text.get(MAGIC.len()..end).unwrap_or_default()
    }

    fn tail(&self) -> &str {
        self.tail_at().map_or("", |at| &self.text[at..])
    }

    /// Writes each character as its place has it.
    fn fold(&mut self) {
        let places: Vec<(Part, usize)> = self.places().collect();
        let folded = self.text.chars().zip(places).map(|(sign, (part, place))| {
            let upper = sign.to_ascii_uppercase();
            match part {
                Part::Magic if place + 1 == MAGIC.len() && matches!(upper, 'I' | 'L') => '1',
                Part::Magic => upper,
                Part::Host => sign.to_ascii_lowercase(),
                Part::Root | Part::Secret => match upper {
                    '0' => 'O',
                    '1' => 'I',
                    '8' => 'B',
                    other => other,
                },
                Part::Time => match upper {
                    'O' => '0',
                    'I' | 'L' => '1',
                    'B' => '8',
                    other => other,
                },
            }
        });
        self.text = folded.collect();
    }

    /// Part and place of each character; the blank is the host's.
    fn places(&self) -> impl Iterator<Item = (Part, usize)> {
        let (tail_at, length) = (self.tail_at().unwrap_or(self.text.len()), self.text.len());
        (0..length).map(move |at| {
            if at < MAGIC.len() {
                (Part::Magic, at)
            } else if at < tail_at {
                (Part::Host, at - MAGIC.len())
            } else {
                match at - tail_at {
                    place if place < SECRET_CHARS => (Part::Root, place),
                    place if place < SECRET_CHARS + TIME_DIGITS => (Part::Time, place - SECRET_CHARS),
                    place => (Part::Secret, place - SECRET_CHARS - TIME_DIGITS),
                }
            }
        })
    }

    /// The part a character typed at the caret belongs to.
    #[must_use]
    pub fn part(&self) -> Part {
        match self.tail_at() {
            _ if self.caret < MAGIC.len() => Part::Magic,
            Some(tail) if self.caret >= tail => match self.caret - tail {
                place if place < SECRET_CHARS => Part::Root,
                place if place < SECRET_CHARS + TIME_DIGITS => Part::Time,
                _ => Part::Secret,
            },
            _ => Part::Host,
        }
    }

    /// Whether a code can have this character at the caret.
    #[must_use]
    pub fn takes(&self, character: char) -> bool {
        match self.part() {
            Part::Magic => MAGIC[self.caret..].starts_with(character.to_ascii_uppercase()),
            Part::Host if character == ' ' => self.tail_at().is_none() && is_host_and_port(self.host()),
            Part::Host => character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']'),
            Part::Time => character.is_ascii_digit(),
            Part::Root | Part::Secret => is_base32(character) && self.tail().len() < TAIL_CHARS,
        }
    }

    /// Every character, the blank left out.
    pub fn signs(&self) -> impl Iterator<Item = Sign> {
        let host_wrong = self.tail_at().is_some() && !is_host_and_port(self.host());
        self.text.chars().zip(self.places()).filter(|(sign, _)| *sign != ' ').map(move |(sign, (part, place))| {
            let wrong = match part {
                Part::Magic => !MAGIC[place..].starts_with(sign),
                Part::Host => host_wrong,
                Part::Time => !sign.is_ascii_digit(),
                // 26 characters have 130 bits: the last two are empty.
                Part::Root | Part::Secret if place + 1 == SECRET_CHARS => !"AEIMQUY4".contains(sign),
                Part::Root | Part::Secret => !is_base32(sign),
            };
            Sign { sign, part, place, wrong }
        })
    }

    /// Characters that are still missing; `None` as long as the host has not ended.
    #[must_use]
    pub fn missing(&self) -> Option<usize> {
        self.tail_at().map(|tail| TAIL_CHARS - (self.text.len() - tail).min(TAIL_CHARS))
    }

    /// Nothing is missing, and no character is one that no code has there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing() == Some(0) && !self.signs().any(|sign| sign.wrong)
    }
}

fn is_base32(character: char) -> bool {
    character.is_ascii_uppercase() || matches!(character, '2'..='7')
}

/// This host has its port, and the character cannot belong to it.
fn port_is_over(host: &str, next: char) -> bool {
    let name_and_port = match host.strip_prefix('[') {
        Some(address) => address.rsplit_once("]:"),
        None => host.split_once(':'),
    };
    let Some((_, port)) = name_and_port else { return false };
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (next.is_ascii_alphabetic() || port.len() == 5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "4QQCWNS4NDEFKA5OU3CJNVLZV4";
    const SECRET: &str = "7YHQ2BDLXKTPIB6ZMOE5RCVJ3A";

    fn code() -> String {
        format!("TEILHABE1 konto.example:8443 {ROOT} 1795345470 {SECRET}")
    }

    fn typed(text: &str) -> Typing {
        let mut typing = Typing::default();
        typing.insert_all(text);
        typing
    }

    #[test]
    fn whatever_way_it_is_typed_it_is_the_same_code() {
        let whole = code();
        let ways = [
            whole.clone(),
            whole.to_lowercase(),
            // In groups, without the blank that follows a port, with what looks alike.
            format!("TEILHABE1konto.example:8443 4QQC WNS4 NDEF KA5O U3CJ NVLZ V4 1795 3454 70\r\n{SECRET}"),
            format!("teilhabel KONTO.example:8443 {ROOT} I79534547O {}", SECRET.replace('B', "8").replace('O', "0")),
            format!("TEILHABE1 kon{whole}"),
            format!("{}{whole}", &whole[..60]),
            format!("{}{whole}", whole.replace("konto", "other")),
        ];
        for way in ways {
            let typing = typed(&way);
            assert_eq!(typing.words(), whole.replace(" 1795345470 ", "1795345470"), "{way}");
            assert!(typing.is_complete() && typing.missing() == Some(0), "{way}");
        }
        // A letter is no digit of a port.
        assert_eq!(typed("TEILHABE1 192.0.2.1:8443Q").missing(), Some(TAIL_CHARS - 1));
        assert_eq!(typed("TEILHABE1 [2001:db8::1]:8443Q").missing(), Some(TAIL_CHARS - 1));
        assert_eq!(typed("TEILHABE1 a.example:655357").missing(), Some(TAIL_CHARS - 1));
        assert_eq!(typed("TEILHABE1 a.example:84432").missing(), None, "this may be a port");
        assert!(!format!("{:?}", typed(&whole)).contains("4QQC"));
    }

    /// A character too many or too few moves all that follow; where digits should be, letters show it.
    #[test]
    fn a_wrong_character_is_pointed_at() {
        let wrong = |text: &str| {
            let typing = typed(text);
            assert!(!typing.is_complete(), "{text}");
            typing.signs().find(|sign| sign.wrong).map(|sign| (sign.part, sign.place))
        };
        assert_eq!(wrong("BIKN1"), Some((Part::Magic, 0)));
        assert_eq!(wrong("TEILHABE1 konto:0 A"), Some((Part::Host, 0)));
        assert_eq!(wrong("TEILHABE1 konto.example:8443 9"), Some((Part::Root, 0)));
        assert_eq!(wrong(&code().replace(ROOT, &format!("X{ROOT}"))), Some((Part::Root, 25)));
        assert_eq!(wrong(&code().replace(SECRET, &SECRET.replace("3A", "3B"))), Some((Part::Secret, 25)));
        assert_eq!(wrong(&code().replace("1795", "1X95")), Some((Part::Time, 1)));
        assert_eq!(wrong(&code()[..60]), None);
        assert_eq!(typed(&code()[..code().len() - 3]).missing(), Some(3));
    }

    #[test]
    fn a_slip_is_mended_where_it_is() {
        let mut typing = typed(&code().replace("konto", "kxonto"));
        typing.edit(Edit::Home);
        (0..11).for_each(|_| typing.edit(Edit::Right));
        typing.edit(Edit::Backspace);
        assert_eq!((typing.words(), typing.caret()), (typed(&code()).words(), 10));
        typing.edit(Edit::Delete);
        typing.edit(Edit::Insert('O'));
        typing.edit(Edit::Left);
        assert_eq!((typing.words(), typing.caret()), (typed(&code()).words(), 10));
        typing.edit(Edit::End);
        typing.edit(Edit::Insert('A'));
        assert!(typing.is_complete(), "there is no room for more");
        let again = Typing::new(typing.text(), 3, typing.recent());
        assert_eq!((again.text(), again.caret()), (typing.text(), 3));
    }

    #[test]
    fn only_what_can_come_is_offered() {
        let offered = |text: &str| {
            let typing = typed(text);
            (' '..='z').filter(|c| !c.is_ascii_lowercase() && typing.takes(*c)).collect::<String>()
        };
        assert_eq!(offered(""), "T");
        assert_eq!(offered("TEILHABE"), "1");
        assert_eq!(offered("TEILHABE1"), "-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ[]");
        assert!(offered("TEILHABE1 konto.example:8443").starts_with(' '));
        assert_eq!(offered("TEILHABE1 konto.example:8443 "), "234567ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        assert_eq!(offered(&format!("TEILHABE1 konto.example:8443 {ROOT}")), "0123456789");
        assert_eq!(offered(&code()), "");
    }

    proptest! {
        #[test]
        fn any_hand_leaves_a_text_that_reads_back(keys in proptest::collection::vec((0..9_u8, "\\PC"), 0..150)) {
            let mut typing = Typing::default();
            for (key, text) in keys {
                typing.edit(match key {
                    0 => Edit::Backspace,
                    1 => Edit::Delete,
                    2 => Edit::Left,
                    3 => Edit::Right,
                    4 => Edit::Home,
                    5 => Edit::End,
                    6 => Edit::Insert(' '),
                    7 => Edit::Insert('7'),
                    _ => Edit::Insert(text.chars().next().unwrap_or('A')),
                });
                prop_assert!(typing.text().is_ascii() && typing.caret() <= typing.text().len());
                let _ = (typing.signs().count(), typing.missing(), typing.takes('A'), typing.words());
            }
        }
    }
}
