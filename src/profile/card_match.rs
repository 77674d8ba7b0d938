//! How a kind of card is recognised: what its ATR must say, and what is probed.

use std::fmt;

use serde::Deserialize;

use super::{
    atr::{Atr, AtrPattern, StorageCard},
    error::{Detail, Fault},
    hex::Hex,
    part::Part,
    place::from_text,
    reader_match::Interface,
    rule::Rule,
};

from_text!(Aid StatusWord);

/// Conditions that all must hold. ATR, storage form and historical bytes are looked at before anything is sent; the
/// others are probed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardMatch {
    /// Interfaces; empty for both.
    pub interface: Vec<Interface>,
    /// The ATR is one of these.
    pub atr: Vec<AtrPattern>,
    /// The reader calls it a storage card of this standard and name.
    pub storage: Option<StorageMatch>,
    /// The historical bytes hold this.
    pub historical: Option<HistoricalMatch>,
    /// It answers SELECT.
    pub select: Option<Select>,
    /// Its UID.
    pub uid: Option<UidMatch>,
    /// It answers GET VERSION.
    pub get_version: Option<GetVersion>,
}

/// Standards and names of PC/SC part 3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageMatch {
    /// SS.
    pub ss: Vec<u8>,
    /// NN NN.
    pub nn: Vec<u16>,
    /// SAK, for cards the reader names `FFxx`.
    #[serde(default)]
    pub sak: Vec<u8>,
}

impl StorageMatch {
    /// The name of a MIFARE Classic among the names, of which no block can be read without a key: those of PC/SC part 3,
    /// and SAKs with bit 4 (NXP AN10833).
    pub(super) fn needs_a_key(&self) -> Option<String> {
        let classic = |name: &u16| match name {
            0xFF00..=0xFFFF => name & 0x08 != 0,
            name => matches!(name, 0x0001 | 0x0002 | 0x0026 | 0x0036 | 0x0037),
        };
        self.names().find(classic).map(|name| format!("0x{name:04X}"))
    }

    fn names(&self) -> impl Iterator<Item = u16> + '_ {
        self.nn.iter().copied().chain(self.sak.iter().map(|sak| 0xFF00 | u16::from(*sak)))
    }
}

/// Bytes within the historical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoricalMatch {
    /// These, in a row, anywhere.
    pub contains: Hex,
}

/// SELECT by DF name (ISO 7816-4, 11.2.2) as a probe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// The application.
    pub aid: Aid,
    /// The application tells in its FCI whether a phone plays it (card-application, 1.1, DF21 bit 2); the profile is for
    /// phones, or for cards; absent where that makes no difference.
    pub phone: Option<bool>,
    /// Status words that mean: here.
    #[serde(default = "Select::ok")]
    pub ok_sw: Vec<StatusWord>,
    /// Status words that mean: here, and waiting for its holder.
    #[serde(default)]
    pub busy_sw: Vec<StatusWord>,
    /// Status words that mean: here, and locked.
    #[serde(default)]
    pub locked_sw: Vec<StatusWord>,
}

impl Select {
    fn ok() -> Vec<StatusWord> {
        vec![StatusWord(0x9000)]
    }
}

/// Application identifier, 5 to 16 bytes (ISO 7816-5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aid(Vec<u8>);

impl TryFrom<String> for Aid {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let Hex(bytes) = Hex::try_from(text)?;
        if (5..=16).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(Rule::AidForm.into()) }
    }
}

impl Aid {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({self})")
    }
}

/// SW1 SW2, written as four hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatusWord(pub u16);

impl TryFrom<String> for StatusWord {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        let Hex(bytes) = Hex::try_from(text)?;
        let word = bytes.try_into().map_err(|_| Rule::StatusWordForm)?;
        Ok(Self(u16::from_be_bytes(word)))
    }
}

/// Conditions on a UID.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UidMatch {
    /// Lengths in bytes: 4, 7, 8 or 10.
    pub lengths: Vec<u8>,
    /// A UID that is drawn anew each time (ISO 14443-3: 4 bytes, the first 08) identifies nobody. Anything but true is
    /// refused; the key stands in the file so that people see it.
    pub reject_random: bool,
}

/// GET VERSION of NXP's chips.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetVersion {
    /// How it is asked.
    pub family: VersionFamily,
    /// First bytes of the first answer: vendor, type.
    pub prefix: Hex,
}

/// How GET VERSION is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionFamily {
    /// `90 60`, as DESFire.
    Desfire,
    /// `90 60`, as NTAG 424 DNA.
    Ntag424,
}

impl CardMatch {
    /// It holds no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.select.is_none() && self.uid.is_none() && self.get_version.is_none() && !self.looks_at_atr()
    }

    /// Some condition is decided by the ATR alone.
    #[must_use]
    pub fn looks_at_atr(&self) -> bool {
        !self.atr.is_empty() || self.storage.is_some() || self.historical.is_some()
    }

    /// The conditions on interface and ATR hold; those that need an exchange with the card stay open.
    #[must_use]
    pub fn admits(&self, atr: &Atr, interface: Interface) -> bool {
        (self.interface.is_empty() || self.interface.contains(&interface)) && self.admits_atr(atr)
    }

    pub(super) fn admits_atr(&self, atr: &Atr) -> bool {
        let storage = atr.storage_card();
        let by_storage = self.storage.as_ref().is_none_or(|wanted| {
            storage.is_some_and(|card| wanted.ss.contains(&card.standard) && wanted.names().any(|nn| nn == card.name))
        });
        let by_historical = self.historical.as_ref().is_none_or(|wanted| {
            atr.historical().windows(wanted.contains.0.len()).any(|window| window == wanted.contains.0)
        });
        let by_pattern = self.atr.is_empty() || self.atr.iter().any(|pattern| pattern.matches(atr.bytes()));
        // A storage card has no applications to select, unless the reader merely stopped before layer 4.
        let selectable = self.select.is_none() || storage.is_none_or(StorageCard::hides_layer_4);
        by_storage && by_historical && by_pattern && selectable
    }

    /// What some card may have that fits both: the key on either side, and in words. With `alike` only what fits both equally
    /// closely, so that nothing says which profile is meant.
    pub(super) fn common(&self, other: &Self, samples: &[Atr], alike: bool) -> Option<([String; 2], Detail)> {
        let apart = |mine: &[Interface], theirs: &[Interface]| {
            !mine.is_empty() && !theirs.is_empty() && !mine.iter().any(|interface| theirs.contains(interface))
        };
        if apart(&self.interface, &other.interface) {
            return None;
        }
        match (&self.select, &other.select) {
            (Some(ours), Some(theirs)) => {
                let same_player = ours.phone.is_none() || theirs.phone.is_none() || ours.phone == theirs.phone;
                if ours.aid != theirs.aid || !same_player {
                    return None;
                }
                // Without a condition on the ATR it fits whatever the other fits, but less closely.
                let any_atr = !self.looks_at_atr() || !other.looks_at_atr();
                if alike || !any_atr {
                    self.common_atr(other, samples, alike)?;
                }
                return Some((["match.select.aid"; 2].map(str::to_owned), Part::Application.of(&ours.aid)));
            }
            // SELECT is probed first; what it does not claim is left to the ATR.
            (Some(_), None) | (None, Some(_)) => return None,
            (None, None) => {}
        }
        let told_by_uid = self
            .uid
            .as_ref()
            .zip(other.uid.as_ref())
            .is_some_and(|(ours, theirs)| !ours.lengths.iter().any(|length| theirs.lengths.contains(length)));
        let told_by_version =
            self.get_version.as_ref().zip(other.get_version.as_ref()).is_some_and(|(ours, theirs)| {
                !ours.prefix.0.starts_with(&theirs.prefix.0) && !theirs.prefix.0.starts_with(&ours.prefix.0)
            });
        if told_by_uid || told_by_version { None } else { self.common_atr(other, samples, alike) }
    }

    fn common_atr(&self, other: &Self, samples: &[Atr], alike: bool) -> Option<([String; 2], Detail)> {
        for (at, ours) in self.atr.iter().enumerate() {
            let common =
                |theirs: &AtrPattern| (!alike || ours.specificity() == theirs.specificity()) && ours.overlaps(theirs);
            if let Some(there) = other.atr.iter().position(common) {
                let keys = [at, there].map(|index| format!("match.atr.{}", index + 1));
                return Some((keys, Part::SomeAtrs.into()));
            }
        }
        if let Some((ours, theirs)) = self.storage.as_ref().zip(other.storage.as_ref())
            && ours.ss.iter().any(|ss| theirs.ss.contains(ss))
            && let Some(name) = ours.names().find(|name| theirs.names().any(|theirs| theirs == *name))
        {
            let name = Part::StorageName.of(format_args!("{name:04X}"));
            return Some((["match.storage"; 2].map(str::to_owned), name));
        }
        let keys = ["match"; 2].map(str::to_owned);
        if !self.looks_at_atr() && !other.looks_at_atr() {
            return Some((keys, Part::AnyAtr.into()));
        }
        let both_admit = |atr: &&Atr| {
            let equally = self.closeness(atr) == other.closeness(atr);
            self.admits_atr(atr) && other.admits_atr(atr) && (equally || !alike)
        };
        samples.iter().find(both_admit).map(|atr| (keys, Part::Atr.of(atr)))
    }

    /// Bits fixed by the most specific pattern that admits the ATR; the closer of two profiles of one priority wins.
    #[must_use]
    pub(super) fn closeness(&self, atr: &Atr) -> u32 {
        let matching = self.atr.iter().filter(|pattern| pattern.matches(atr.bytes()));
        let pattern = matching.map(AtrPattern::specificity).max().unwrap_or(0);
        let storage = if self.storage.is_some() { 8 * 11 } else { 0 };
        let historical = self.historical.as_ref().map_or(0, |wanted| 8 * wanted.contains.0.len());
        pattern.saturating_add(u32::try_from(storage + historical).unwrap_or(u32::MAX))
    }

    pub(super) fn check(&self) -> Result<(), (String, Fault)> {
        let wrong = |key: &str, rule: Rule| Err((key.to_owned(), rule.into()));
        if let Some(storage) = &self.storage
            && (storage.ss.is_empty() || storage.names().next().is_none())
        {
            return wrong("match.storage", Rule::StorageEmpty);
        }
        if self.historical.as_ref().is_some_and(|wanted| wanted.contains.0.is_empty()) {
            return wrong("match.historical.contains", Rule::HistoricalEmpty);
        }
        if let Some(uid) = &self.uid {
            if uid.lengths.is_empty() || uid.lengths.iter().any(|length| !matches!(length, 4 | 7 | 8 | 10)) {
                return wrong("match.uid.lengths", Rule::UidLength);
            }
            if !uid.reject_random {
                return wrong("match.uid.reject_random", Rule::UidRandom);
            }
        }
        Ok(())
    }
}
