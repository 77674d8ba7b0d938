//! Light and sound of a reader, as named verbs. Which bytes a verb becomes is compiled in per family of readers; verbs
//! that would write polling, baud rate, keys or firmware do not exist.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use super::error::Fault;

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

/// One thing a reader shall show or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Verb {
    /// Whether the reader beeps by itself when a card appears.
    BuzzerOnDetect(bool),
    /// Green for so many milliseconds.
    LedGreen(u16),
    /// Red for so many milliseconds.
    LedRed(u16),
    /// Blink until told otherwise.
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

/// Says that an error text is about a verb.
pub(super) const VERB_ERROR: &str = "signal: ";

/// Not a verb.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{VERB_ERROR}`{0}` is none of buzzer_on_detect:on|off, led_green:MS, led_red:MS, led_blink, beep:MS, beep:MSxTIMES \
     (at most 2000 ms, 5 times)"
)]
pub struct VerbError(String);

impl TryFrom<String> for Verb {
    type Error = VerbError;

    fn try_from(text: String) -> Result<Self, VerbError> {
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
        verb.ok_or(VerbError(text))
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
    pub(super) fn check(&self, family: Family) -> Result<(), (String, Fault)> {
        let lists =
            [("at_start", &self.at_start), ("accept", &self.accept), ("reject", &self.reject), ("wait", &self.wait)];
        for (name, verbs) in lists {
            if verbs.len() > 4 {
                return Err((format!("signals.{name}"), Fault::Value("at most 4 verbs are allowed".to_owned())));
            }
            // HID's and Identiv's tables only read: their manuals were not available in full.
            if !verbs.is_empty() && !matches!(family, Family::AcsFf00 | Family::AcsE0) {
                let text = "signals need an escape family that has them: acs-ff00 or acs-e0";
                return Err((format!("signals.{name}"), Fault::Value(text.to_owned())));
            }
        }
        Ok(())
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
}
