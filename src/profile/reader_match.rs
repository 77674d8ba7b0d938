//! How a reader is recognised by what the system tells of it, and what its slots are for.

use std::fmt;

use serde::Deserialize;

use super::pattern::{BcdRange, Pattern, UsbId};

/// Operating system, for names that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// pcsc-lite.
    Linux,
    /// `WinSCard`.
    Windows,
    /// Apple's framework.
    Macos,
}

impl System {
    /// The system this program was built for; any other Unix has pcsc-lite.
    pub const HERE: Self = if cfg!(target_os = "windows") {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Macos
    } else {
        Self::Linux
    };
}

/// Conditions that all must hold. One that cannot be checked because the system does not tell does not hold, except the
/// USB id, in whose place the name then decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReaderMatch {
    /// USB ids of the model.
    pub usb: Vec<UsbId>,
    /// Range of bcdDevice.
    pub bcd_device: Option<BcdRange>,
    /// What the firmware calls itself.
    pub firmware_text: Option<Pattern>,
    /// Names the systems give it.
    pub names: Vec<NamePattern>,
}

/// A name as one system or driver gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamePattern {
    /// Only there; absent for everywhere.
    pub os: Option<System>,
    /// Only with this driver; for people, names tell drivers apart by themselves.
    pub driver: Option<Driver>,
    /// The name.
    pub regex: Pattern,
}

impl NamePattern {
    fn fits(&self, seen: &Sighting<'_>) -> bool {
        self.os.is_none_or(|os| os == seen.system) && self.regex.matches(seen.name)
    }
}

/// A PC/SC driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// libccid, or the system's own class driver.
    Ccid,
    /// ACS's driver.
    Acsccid,
    /// The maker's driver.
    Vendor,
}

/// What is known about a slot at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The slot's name as PC/SC lists it.
    pub name: &'a str,
    /// USB id of the reader, if the driver tells it.
    pub usb: Option<UsbId>,
    /// bcdDevice, if the driver tells it.
    pub bcd_device: Option<u16>,
    /// Firmware text, if it was asked for.
    pub firmware_text: Option<&'a str>,
    /// Whose name it is.
    pub system: System,
}

impl<'a> Sighting<'a> {
    /// A slot of which only the name is known, on this system.
    #[must_use]
    pub const fn named(name: &'a str) -> Self {
        Self { name, usb: None, bcd_device: None, firmware_text: None, system: System::HERE }
    }
}

/// How closely a profile fits a sighting; more is closer. Compared after layer and priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Closeness {
    usb: bool,
    firmware: u8,
    name_len: usize,
}

impl ReaderMatch {
    /// It holds no condition that tells a model: firmware only narrows one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.usb.is_empty() && self.names.is_empty()
    }

    /// The key of the longest expression that fits the name.
    pub(super) fn name_key(&self, seen: &Sighting<'_>) -> String {
        let fitting = self.names.iter().enumerate().filter(|(_, name)| name.fits(seen));
        let longest = fitting.max_by_key(|(_, name)| name.regex.as_str().len());
        longest.map_or("match".to_owned(), |(index, _)| format!("match.names.{}.regex", index + 1))
    }

    /// `None` if it does not fit.
    pub(super) fn closeness(&self, seen: &Sighting<'_>) -> Option<Closeness> {
        let usb = match seen.usb {
            Some(id) if !self.usb.is_empty() => self.usb.contains(&id).then_some(true)?,
            _ => false,
        };
        let fitting = self.names.iter().filter(|name| name.fits(seen));
        let name_len = fitting.map(|name| name.regex.as_str().len()).max();
        // A known USB id outranks the name: pcscd takes the name from its driver's list, and clones borrow it.
        if name_len.is_none() && !usb {
            return None;
        }
        let mut firmware = 0;
        if let Some(range) = self.bcd_device {
            firmware += u8::from(seen.bcd_device.is_some_and(|bcd| range.contains(bcd)).then_some(true)?);
        }
        if let Some(pattern) = &self.firmware_text {
            firmware += u8::from(seen.firmware_text.is_some_and(|text| pattern.matches(text)).then_some(true)?);
        }
        Some(Closeness { usb, firmware, name_len: name_len.unwrap_or(0) })
    }
}

/// What a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotRole {
    /// Cards and phones held to it.
    Contactless,
    /// Cards put into it.
    Contact,
    /// A secure access module inside the housing; never a customer's card.
    Sam,
    /// Not used.
    Ignore,
}

impl SlotRole {
    /// The word in a profile.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contactless => "contactless",
            Self::Contact => "contact",
            Self::Sam => "sam",
            Self::Ignore => "ignore",
        }
    }

    /// The interface of cards in it; `None` if no customer's card can come from it.
    #[must_use]
    pub const fn interface(self) -> Option<Interface> {
        match self {
            Self::Contactless => Some(Interface::Contactless),
            Self::Contact => Some(Interface::Contact),
            Self::Sam | Self::Ignore => None,
        }
    }
}

impl fmt::Display for SlotRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a card touches the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// ISO 14443, ISO 15693.
    Contactless,
    /// ISO 7816-3.
    Contact,
}

/// One rule for slots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRule {
    /// What the slot is for.
    pub role: SlotRole,
    /// Only slots whose name matches.
    pub name_regex: Option<Pattern>,
    /// Only the slot with this number within its reader: the last two hexadecimal digits of a name by pcsc-lite. For
    /// readers whose names do not tell their slots apart.
    pub index: Option<u8>,
    /// Shows a mute card when empty.
    #[serde(default)]
    pub phantom_card: bool,
}

impl SlotRule {
    pub(super) fn fits(&self, name: &str) -> bool {
        self.name_regex.as_ref().is_none_or(|regex| regex.matches(name))
            && self.index.is_none_or(|index| slot_index(name) == Some(index))
    }
}

/// pcsc-lite ends a name with the reader's index and the slot's, two hexadecimal digits each.
fn slot_index(name: &str) -> Option<u8> {
    let (_, last) = name.rsplit_once(' ')?;
    let legal = last.len() == 2 && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    legal.then(|| u8::from_str_radix(last, 16).ok()).flatten()
}
