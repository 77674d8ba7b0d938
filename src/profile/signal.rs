//! Light and sound of a reader, as named verbs. Which bytes a verb becomes is compiled in per family of readers; verbs
//! that would write polling, baud rate, keys or firmware do not exist.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::{error::Fault, place::from_text, rule::Rule};

from_text!(Verb);

/// Makers' sets of commands to the reader itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Family {
    /// No commands are known.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Class FF of the ACR122U.
    #[serde(rename = "acs-ff00")]
    AcsFf00,
    /// E0 00 00 of later ACS readers.
    #[serde(rename = "acs-e0")]
    AcsE0,
    /// TLV settings of HID's `AViatoR` readers; reading only.
    #[serde(rename = "hid-aviator")]
    HidAviator,
    /// Identiv's.
    #[serde(rename = "identiv")]
    Identiv,
}

impl Family {
    /// The word in a profile.
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AcsFf00 => "acs-ff00",
            Self::AcsE0 => "acs-e0",
            Self::HidAviator => "hid-aviator",
            Self::Identiv => "identiv",
        }
    }
}

/// One thing a reader shall show or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Whether the reader beeps by itself when a card appears.
    BuzzerOnDetect(bool),
    /// Green for so many milliseconds.
    LedGreen(u16),
    /// Red for so many milliseconds.
    LedRed(u16),
    /// Blink twice.
    LedBlink,
    /// Sound.
    Beep {
        /// Milliseconds of one tone.
        length: u16,
        /// How often, 1 to 5.
        times: u8,
    },
}

/// Longest tone or light, in milliseconds.
pub const MAX_SIGNAL: u16 = 2000;

impl TryFrom<String> for Verb {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let time = |text: &str| text.parse().ok().filter(|time| (1..=MAX_SIGNAL).contains(time));
        let verb = match text.split_once(':') {
            None if text == "led_blink" => Some(Self::LedBlink),
            Some(("buzzer_on_detect", "on")) => Some(Self::BuzzerOnDetect(true)),
            Some(("buzzer_on_detect", "off")) => Some(Self::BuzzerOnDetect(false)),
            Some(("led_green", length)) => time(length).map(Self::LedGreen),
            Some(("led_red", length)) => time(length).map(Self::LedRed),
            Some(("beep", sound)) => {
                let (length, times) = sound.split_once('x').unwrap_or((sound, "1"));
                let times = times.parse().ok().filter(|times| (1..=5).contains(times));
                time(length).zip(times).map(|(length, times)| Self::Beep { length, times })
            }
            _ => None,
        };
        verb.ok_or_else(|| Rule::Verb.of([&text]))
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuzzerOnDetect(on) => write!(f, "buzzer_on_detect:{}", if *on { "on" } else { "off" }),
            Self::LedGreen(length) => write!(f, "led_green:{length}"),
            Self::LedRed(length) => write!(f, "led_red:{length}"),
            Self::LedBlink => f.write_str("led_blink"),
            Self::Beep { length, times: 1 } => write!(f, "beep:{length}"),
            Self::Beep { length, times } => write!(f, "beep:{length}x{times}"),
        }
    }
}

/// Something that a reader may show or sound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// It was just plugged in.
    Start,
    /// A redemption was granted.
    Accept,
    /// It was not.
    Reject,
    /// The card must stay, or come back.
    Wait,
}

/// When to show what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// When the reader appears.
    pub at_start: Vec<Verb>,
    /// When a redemption is granted.
    pub accept: Vec<Verb>,
    /// When it is refused.
    pub reject: Vec<Verb>,
    /// While the card must stay.
    pub wait: Vec<Verb>,
    /// Verbs that write the reader's flash.
    pub persistent_settings: PersistentSettings,
}

/// Whether settings that survive unplugging may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersistentSettings {
    /// Never.
    #[default]
    Never,
    /// Only after a technician agreed.
    Ask,
}

impl Signals {
    /// What is to be done at that moment.
    #[must_use]
    pub fn at(&self, moment: Moment) -> &[Verb] {
        match moment {
            Moment::Start => &self.at_start,
            Moment::Accept => &self.accept,
            Moment::Reject => &self.reject,
            Moment::Wait => &self.wait,
        }
    }

    pub(super) fn check(&self, family: Family, colours: LedBits) -> Result<(), (String, Fault)> {
        let lists =
            [("at_start", &self.at_start), ("accept", &self.accept), ("reject", &self.reject), ("wait", &self.wait)];
        for (name, verbs) in lists {
            if verbs.len() > 4 {
                return Err((format!("signals.{name}"), Rule::SignalCount.into()));
            }
            // A verb without bytes would be silent for ever, and nobody would know why.
            if let Some(verb) = verbs.iter().find(|verb| verb.steps(family, colours).is_none()) {
                let verb = verb.to_string();
                let fault = match family {
                    Family::None => Rule::SignalWithoutFamily.of([&verb]),
                    _ => Rule::SignalWithoutBytes.of([family.word(), &verb]),
                };
                return Err((format!("signals.{name}"), fault));
            }
        }
        Ok(())
    }
}

/// Which bit of the family `acs-e0` is which colour, 0 to 7: it differs from model to model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedBits {
    /// The red one.
    pub red: Option<u8>,
    /// The green one.
    pub green: Option<u8>,
}

/// One command to the reader itself, so long after the signal has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalStep {
    /// Time since the first step.
    pub after: Duration,
    /// The bytes.
    pub command: Vec<u8>,
}

/// Light and dark of a blinking light, each.
const BLINK: u16 = 200;

impl Verb {
    /// What to send for it, in order; `None` if nothing is known for this family.
    ///
    /// `acs-ff00` is the ACR122U's class FF: `FF 00 52` buzzer on detection, `FF 00 40` with LED mask, T1, T2, times and
    /// link (cards-and-readers 3.2 and its sources 61 to 63, 66; times in 100 ms; link 01 is the buzzer during T1).
    /// `acs-e0` is that of later ACS readers: `E0 00 00 28` buzzer in 10 ms, `E0 00 00 29` lights (3.2, sources 25, 56,
    /// 58). The verbs of HID and Identiv are not known in full; setting an `acs-e0` reader's behaviour
    /// (`E0 00 00 21`) writes its flash and is never done.
    #[must_use]
    pub fn steps(self, family: Family, colours: LedBits) -> Option<Vec<SignalStep>> {
        match family {
            Family::AcsFf00 => Some(vec![SignalStep { after: Duration::ZERO, command: self.acs_ff00() }]),
            Family::AcsE0 => self.acs_e0(colours),
            Family::None | Family::HidAviator | Family::Identiv => None,
        }
    }

    fn acs_ff00(self) -> Vec<u8> {
        /// Initial blinking state and blinking mask of each light; the masks of the final state stay 0, so that the
        /// light returns to what it was.
        const RED: u8 = 0x50;
        const GREEN: u8 = 0xA0;
        const BUZZER_IN_T1: u8 = 0x01;
        let tenths = |ms: u16| u8::try_from(ms.div_ceil(100)).unwrap_or(u8::MAX);
        let show = |lights, on, off, times, link| vec![0xFF, 0x00, 0x40, lights, 0x04, on, off, times, link];
        match self {
            Self::BuzzerOnDetect(on) => vec![0xFF, 0x00, 0x52, if on { 0xFF } else { 0x00 }, 0x00],
            Self::LedGreen(length) => show(GREEN, tenths(length), 0, 1, 0),
            Self::LedRed(length) => show(RED, tenths(length), 0, 1, 0),
            Self::LedBlink => show(RED | GREEN, tenths(BLINK), tenths(BLINK), 2, 0),
            Self::Beep { length, times: 1 } => show(0, tenths(length), 0, 1, BUZZER_IN_T1),
            Self::Beep { length, times } => show(0, tenths(length), tenths(length), times, BUZZER_IN_T1),
        }
    }

    fn acs_e0(self, colours: LedBits) -> Option<Vec<SignalStep>> {
        let step = |ms: u32, command: &[u8]| SignalStep {
            after: Duration::from_millis(ms.into()),
            command: [&[0xE0, 0x00, 0x00], command].concat(),
        };
        let lights = |ms, bits: u8| step(ms, &[0x29, 0x01, bits]);
        let bit = |number: Option<u8>| 1_u8.checked_shl(number?.into());
        let shine = |bits, length: u16| vec![lights(0, bits), lights(length.into(), 0)];
        match self {
            Self::BuzzerOnDetect(_) => None,
            Self::LedGreen(length) => bit(colours.green).map(|bits| shine(bits, length)),
            Self::LedRed(length) => bit(colours.red).map(|bits| shine(bits, length)),
            Self::LedBlink => {
                let both = bit(colours.red)? | bit(colours.green)?;
                let at = |nth: u16| u32::from(BLINK) * u32::from(nth);
                Some(vec![lights(at(0), both), lights(at(1), 0), lights(at(2), both), lights(at(3), 0)])
            }
            Self::Beep { length, times } => {
                let tens = u8::try_from(length.div_ceil(10)).unwrap_or(u8::MAX);
                let each = |nth| step(u32::from(nth) * 2 * u32::from(length), &[0x28, 0x01, tens]);
                Some((0..times).map(each).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_a_closed_list() {
        let verb = |text: &str| Verb::try_from(text.to_owned());
        for legal in
            ["buzzer_on_detect:off", "buzzer_on_detect:on", "led_green:300", "led_red:600", "led_blink", "beep:100x3"]
        {
            assert_eq!(verb(legal).unwrap().to_string(), legal);
        }
        for illegal in
            ["", "FF00400D0400000000", "led_green", "led_green:0", "led_green:2001", "beep:100x6", "beep:-1", "flash"]
        {
            assert!(verb(illegal).is_err(), "{illegal}");
        }
    }

    /// The bytes stand in cards-and-readers 3.2 ("ACR122U" and "ACR1252U / 1255U / 1281U family").
    #[test]
    fn verbs_become_the_bytes_of_their_family() {
        let colours = LedBits { red: Some(0), green: Some(1) };
        let cases: &[(Family, &str, Option<&[(u64, &[u8])]>)] = &[
            (Family::AcsFf00, "buzzer_on_detect:off", Some(&[(0, b"\xFF\x00\x52\x00\x00")])),
            (Family::AcsFf00, "buzzer_on_detect:on", Some(&[(0, b"\xFF\x00\x52\xFF\x00")])),
            (Family::AcsFf00, "led_green:300", Some(&[(0, b"\xFF\x00\x40\xA0\x04\x03\x00\x01\x00")])),
            (Family::AcsFf00, "led_red:600", Some(&[(0, b"\xFF\x00\x40\x50\x04\x06\x00\x01\x00")])),
            (Family::AcsFf00, "led_blink", Some(&[(0, b"\xFF\x00\x40\xF0\x04\x02\x02\x02\x00")])),
            (Family::AcsFf00, "beep:50", Some(&[(0, b"\xFF\x00\x40\x00\x04\x01\x00\x01\x01")])),
            (Family::AcsFf00, "beep:100x3", Some(&[(0, b"\xFF\x00\x40\x00\x04\x01\x01\x03\x01")])),
            (Family::AcsE0, "beep:100", Some(&[(0, b"\xE0\x00\x00\x28\x01\x0A")])),
            (
                Family::AcsE0,
                "beep:100x2",
                Some(&[(0, b"\xE0\x00\x00\x28\x01\x0A"), (200, b"\xE0\x00\x00\x28\x01\x0A")]),
            ),
            (
                Family::AcsE0,
                "led_green:300",
                Some(&[(0, b"\xE0\x00\x00\x29\x01\x02"), (300, b"\xE0\x00\x00\x29\x01\x00")]),
            ),
            (Family::AcsE0, "buzzer_on_detect:off", None),
            (Family::HidAviator, "beep:100", None),
            (Family::Identiv, "led_red:600", None),
            (Family::None, "beep:100", None),
        ];
        for (family, verb, expected) in cases {
            let steps = Verb::try_from((*verb).to_owned()).unwrap().steps(*family, colours);
            let expected = expected.map(|steps| {
                let step = |(ms, bytes): &(u64, &[u8])| SignalStep {
                    after: Duration::from_millis(*ms),
                    command: bytes.to_vec(),
                };
                steps.iter().map(step).collect::<Vec<_>>()
            });
            assert_eq!(steps, expected, "{family:?} {verb}");
        }
    }

    #[test]
    fn a_colour_nobody_knows_stays_dark() {
        let red_only = LedBits { red: Some(7), green: None };
        assert!(Verb::LedRed(100).steps(Family::AcsE0, red_only).is_some());
        assert_eq!(Verb::LedGreen(100).steps(Family::AcsE0, red_only), None);
        assert_eq!(Verb::LedBlink.steps(Family::AcsE0, red_only), None);
        assert_eq!(Verb::LedRed(100).steps(Family::AcsE0, LedBits { red: Some(8), green: None }), None);
    }
}
