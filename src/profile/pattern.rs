//! Words, regular expressions and numbers in the form a profile writes them.

use std::fmt;

use super::{
    error::{Detail, Fault},
    part::Part,
    place::from_text,
    rule::Rule,
};
use regex::{Regex, RegexBuilder};

from_text!(Pattern ProfileId UsbId BcdRange Bcd);

/// Longest regular expression, in bytes.
pub const MAX_PATTERN_LEN: usize = 256;
/// Largest compiled regular expression, in bytes. Matching is linear in the text whatever the expression.
const MAX_COMPILED_LEN: usize = 64 * 1024;

/// A regular expression with a bound on its size.
#[derive(Clone)]
pub struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        if text.is_empty() || text.len() > MAX_PATTERN_LEN {
            return Err(Rule::PatternLength.into());
        }
        // In "…" TOML takes `\b` for a backspace before anybody here sees it.
        if text.chars().any(char::is_control) {
            return Err(Rule::PatternControl.into());
        }
        let built = RegexBuilder::new(&text)
            .size_limit(MAX_COMPILED_LEN)
            .dfa_size_limit(2 * MAX_COMPILED_LEN)
            .nest_limit(16)
            .build();
        built.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Rule::PatternTooLarge.into(),
            // The crate draws the place over several lines; the last one says what is wrong.
            error => {
                let told = error.to_string();
                let said = told.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                let said = Detail::Foreign(said.into());
                match bare_bracket(&text) {
                    Some(bracket) => {
                        let bracket = Detail::from(bracket.to_string());
                        Rule::PatternBracket.with([said, bracket.clone(), bracket.clone(), bracket])
                    }
                    None => Rule::PatternSyntax.with([said]),
                }
            }
        })
    }
}

/// A bracket that means something to the engine and most likely only stood in a name.
fn bare_bracket(expression: &str) -> Option<char> {
    let mut escaped = false;
    expression.chars().find(|c| {
        let bare = !escaped && matches!(c, '[' | '(');
        escaped = !escaped && *c == '\\';
        bare
    })
}

impl Pattern {
    /// The text holds a match.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// What the first group of the first match holds.
    #[must_use]
    pub fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.0.captures(text)?.get(1)?.as_str())
    }

    /// The number that is looked for has a group to stand in.
    pub(super) fn captures_something(&self) -> Result<(), Fault> {
        if self.0.captures_len() > 1 { Ok(()) } else { Err(Rule::PatternGroup.of([self.as_str()])) }
    }

    /// What may be wrong with an expression that fits nothing it should.
    pub(super) fn hint(&self) -> Detail {
        bare_bracket(self.as_str()).map_or(Part::NoHint.into(), |bracket| Part::BracketHint.of(bracket))
    }

    /// The expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}

/// Id of a profile: 1 to 40 lower-case letters, digits and hyphens; also the name of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileId(String);

impl TryFrom<String> for ProfileId {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        Self::new(&text).ok_or_else(|| Rule::Id.into())
    }
}

impl ProfileId {
    /// `None` if the text is no id. Nothing that could lead to another folder is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let legal = (1..=40).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        legal.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Vendor and product of a USB device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsbId {
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
}

impl TryFrom<String> for UsbId {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let halves = text.split_once(':').and_then(|(one, two)| four_digits(one).zip(four_digits(two)));
        halves.map(|(vendor, product)| Self { vendor, product }).ok_or_else(|| Rule::UsbForm.into())
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}:{:04X}", self.vendor, self.product)
    }
}

fn four_digits(text: &str) -> Option<u16> {
    let legal = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    legal.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

/// A range of bcdDevice, the firmware number in a USB device descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BcdRange {
    at_least: u16,
    below: Option<u16>,
}

impl TryFrom<String> for BcdRange {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        Self::parse(&text).ok_or_else(|| Rule::BcdRangeForm.into())
    }
}

impl BcdRange {
    fn parse(text: &str) -> Option<Self> {
        let (mut at_least, mut below) = (None, None);
        for part in text.split(',').map(str::trim) {
            let (bound, number) = match (part.strip_prefix(">=0x"), part.strip_prefix("<0x")) {
                (Some(number), _) => (&mut at_least, number),
                (_, Some(number)) => (&mut below, number),
                _ => return None,
            };
            if bound.replace(four_digits(number)?).is_some() {
                return None;
            }
        }
        if below.is_some_and(|below| below <= at_least.unwrap_or(0)) {
            return None;
        }
        Some(Self { at_least: at_least.unwrap_or(0), below })
    }

    /// The lowest firmware of the range.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.at_least
    }

    /// The firmware lies in the range.
    #[must_use]
    pub fn contains(self, bcd: u16) -> bool {
        bcd >= self.at_least && self.below.is_none_or(|below| bcd < below)
    }
}

/// One firmware number, written `0x0203`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bcd(pub u16);

impl TryFrom<String> for Bcd {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        text.strip_prefix("0x").and_then(four_digits).map(Self).ok_or_else(|| Rule::BcdForm.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_ranges_are_half_open() {
        let range = |text: &str| BcdRange::try_from(text.to_owned());
        let old = range("<0x0206").unwrap();
        assert!(old.contains(0x0205) && !old.contains(0x0206));
        let both = range(">=0x0206, <0x0300").unwrap();
        assert!(both.contains(0x0206) && both.contains(0x02FF) && !both.contains(0x0300) && !both.contains(0x0205));
        for wrong in ["", "0x0206", ">=206", ">=0x206", "<0x0206,<0x0300", ">=0x0300,<0x0200", ">0x0206"] {
            assert_eq!(range(wrong), Err(Rule::BcdRangeForm.into()), "{wrong}");
        }
    }

    /// Fault 25.
    #[test]
    fn ids_lead_nowhere() {
        for legal in ["acr122u", "omnikey-5427ck", "7"] {
            assert!(ProfileId::new(legal).is_some(), "{legal}");
        }
        for illegal in ["", "../x", "a/b", "a.b", "A", "-a", "ä", "a b", &"a".repeat(41)] {
            assert!(ProfileId::new(illegal).is_none(), "{illegal}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        let built = |text: &str| Pattern::try_from(text.to_owned());
        assert!(built("(a+)+$").unwrap().matches(&format!("{}!a", "a".repeat(100_000))), "linear time");
        for refused in ["", "(", "((((a{100}){100}){100}){100})", &"a".repeat(257), r"(?<=a)b", r"(a)\1"] {
            assert!(built(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn usb_ids_are_four_and_four_digits() {
        assert_eq!(UsbId::try_from("072f:2200".to_owned()), Ok(UsbId { vendor: 0x072F, product: 0x2200 }));
        for wrong in ["", "072F", "72F:2200", "072F:22001", "+72F:2200", "072F:2200:1"] {
            assert_eq!(UsbId::try_from(wrong.to_owned()), Err(Rule::UsbForm.into()), "{wrong}");
        }
    }
}
