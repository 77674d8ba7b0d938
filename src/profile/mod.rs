//! Level 2: the meaning of `firmware-profiles/`: text in, values out.
//!
//! A profile describes a model of reader or a kind of card; it never instructs. Profiles come in three layers: shipped
//! with the program, updated by an account's signed document, local files of a workshop. A higher layer replaces a
//! profile of the same id and wins over others that match the same. A file that is wrong disables itself alone.
//!
//! ```
//! use teilhabe_terminal::profile::{Atr, Interface, ProfileCatalog, Sighting, SlotRole, System, Verdict};
//!
//! let catalog = ProfileCatalog::shipped();
//! let name = "ACS ACR122U PICC Interface 00 00";
//! let seen = Sighting { system: System::Linux, ..Sighting::named(name) };
//! let reader = catalog.find_reader(&seen).unwrap();
//! assert_eq!((reader.id.as_str(), reader.slot_role(name)), ("acr122u", SlotRole::Contactless));
//!
//! let health_card = Atr::new(&[0x3B, 0x85, 0x80, 0x01, 0x30, 0x01, 0x01, 0x30, 0x30, 0x34]);
//! assert!(matches!(catalog.candidates(&health_card, Interface::Contactless), Verdict::Reject(_)));
//! ```

mod atr;
mod card;
mod card_match;
mod card_samples;
mod error;
mod extract;
mod forbidden;
mod hex;
mod message;
mod overlap;
mod part;
mod pattern;
mod payment;
mod place;
mod plain;
mod preamble;
mod reader;
mod reader_match;
mod rule;
mod shipped;
mod signal;
mod step;
mod text;

use std::{cmp::Reverse, collections::BTreeMap, fmt};

use overlap::Overlap;
use thiserror::Error;

pub use self::{
    atr::{Atr, AtrError, AtrPattern, MAX_ATR_LEN, StorageCard, Structure},
    card::{Action, Auth, CardProfile, Identify, IssuerScope, KeysFrom, Limits, LogMask, Method, Privacy, RejectClass},
    card_match::{
        Aid, CardMatch, GetVersion, HistoricalMatch, Select, StatusWord, StorageMatch, UidMatch, VersionFamily,
    },
    card_samples::{CardTests, SampleAtr, SampleUid},
    error::{Detail, Fault, ProfileError},
    extract::{Decode, Extract, ExtractError, MAX_IDENTITY, NumberCheck, SampleRead, UidTransform, uid_text},
    hex::Hex,
    message::{NdefNumber, NdefRecord, SampleMessage, SunParameters, query_parameter},
    part::Part,
    pattern::{Bcd, BcdRange, MAX_PATTERN_LEN, Pattern, ProfileId, UsbId},
    preamble::{Evidence, EvidenceStatus, Messages, SCHEMA, Texts, Topic},
    reader::{
        Capability, Escape, FirmwareStatus, Host, HostDriver, HostLinux, KnownFirmware, Quirk, Quirks, ReaderProfile,
        ReaderTests, SampleName, Technology, Timing, UidOrder, UidOrders,
    },
    reader_match::{Driver, Interface, NamePattern, ReaderMatch, Sighting, SlotRole, SlotRule, System},
    rule::Rule,
    signal::{Family, LedBits, MAX_SIGNAL, Moment, PersistentSettings, SignalStep, Signals, Verb},
    step::Step,
    text::{MAX_TEXT_LEN, Profile, ProfileText, claimed_id, load},
};
use crate::domain::ids::Digest;

/// Most profiles of one layer.
pub const MAX_TEXTS: usize = 256;
/// The reader profile for readers that no other profile knows.
pub const GENERIC_READER: &str = "generic-ccid";
/// The card profile for cards that no other profile admits.
pub const UNKNOWN_CARD: &str = "fallback-unknown";

/// Where a profile comes from; the later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Layer {
    /// Part of the program.
    #[default]
    Shipped,
    /// From an account's signed document.
    Update,
    /// From a local folder, workshop mode only.
    Local,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shipped => "shipped",
            Self::Update => "account update",
            Self::Local => "local",
        })
    }
}

/// From where a profile comes and what its text was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Origin {
    layer: Layer,
    digest: Option<Digest>,
    file: String,
}

impl Origin {
    /// The line of a key, from the text that the profile was read from.
    fn line(&self, texts: &[ProfileText], key: &str) -> Option<usize> {
        texts.iter().find(|text| text.file() == self.file).and_then(|text| text::line_of(text, key))
    }
}

/// Two profiles of the same rank match the same reader: neither is used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the reader \"{name}\" fits the profiles {} and {} alike", .ids[0], .ids[1])]
pub struct Ambiguous {
    /// The slot's name.
    pub name: String,
    /// The profiles.
    pub ids: [ProfileId; 2],
}

/// What a card's ATR says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Send it nothing; say what it is.
    Reject(&'a CardProfile),
    /// Probe these in order; never empty.
    Probe(Vec<&'a CardProfile>),
}

/// A profile of a higher layer fits what one of another id fits in a layer below, and goes before it. No fault: so a
/// workshop tries one model's profile as another's. But whoever only copied a file should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The one that goes before.
    pub upper: (Layer, ProfileId),
    /// The one that is behind it.
    pub lower: (Layer, ProfileId),
    /// What both fit.
    pub what: Detail,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upper: (high, upper), lower: (low, lower), what } = self;
        write!(f, "{high} {upper} goes before {low} {lower}: both fit {what}")
    }
}

/// All profiles in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileCatalog {
    readers: BTreeMap<ProfileId, ReaderProfile>,
    cards: BTreeMap<ProfileId, CardProfile>,
    errors: Vec<ProfileError>,
    notes: Vec<Note>,
}

impl ProfileCatalog {
    /// The profiles that are part of the program.
    #[must_use]
    pub fn shipped() -> Self {
        let from_file = |(name, text): &(&str, &str)| ProfileText::from_file(*name, text.as_bytes().to_vec());
        let texts: Vec<_> = shipped::SHIPPED.iter().map(from_file).collect();
        let empty = Self { readers: BTreeMap::new(), cards: BTreeMap::new(), errors: Vec::new(), notes: Vec::new() };
        empty.with_texts(&texts, Layer::Shipped)
    }

    /// With the texts of an account's document in force as well. Its signature, sequence and expiry were checked before.
    #[must_use]
    pub fn with_update(self, texts: &[String]) -> Self {
        let texts: Vec<_> =
            texts.iter().enumerate().map(|(index, text)| ProfileText::from_document(index + 1, text)).collect();
        self.with_texts(&texts, Layer::Update)
    }

    /// With local files in force as well. For workshop mode, which a production account refuses.
    #[must_use]
    pub fn with_local(self, texts: &[ProfileText]) -> Self {
        self.with_texts(texts, Layer::Local)
    }

    /// With texts in force as a layer of their own.
    #[must_use]
    pub fn with_texts(mut self, texts: &[ProfileText], layer: Layer) -> Self {
        let mut readers: BTreeMap<ProfileId, Vec<ReaderProfile>> = BTreeMap::new();
        let mut cards: BTreeMap<ProfileId, Vec<CardProfile>> = BTreeMap::new();
        for (index, text) in texts.iter().enumerate() {
            if index >= MAX_TEXTS {
                let (file, fault) = (text.file().to_owned(), Rule::TooMany.into());
                self.errors.push(ProfileError { layer, file, line: None, key: None, fault });
                continue;
            }
            match load(text, layer) {
                Ok(Profile::Reader(profile)) => readers.entry(profile.id.clone()).or_default().push(*profile),
                Ok(Profile::Card(profile)) => cards.entry(profile.id.clone()).or_default().push(*profile),
                Err(error) => self.errors.push(error),
            }
        }
        let readers = self.only_ones(texts, readers, |reader| &reader.origin);
        let cards = self.only_ones(texts, cards, |card| &card.origin);
        let readers = self.apart(texts, readers, overlap::alike_readers, |reader| &reader.origin);
        let cards = self.apart(texts, cards, overlap::alike_cards, |card| &card.origin);
        self.notes.extend(overlap::covered_readers(&readers, &self.readers));
        self.notes.extend(overlap::covered_cards(&cards, &self.cards));
        self.readers.extend(readers);
        self.cards.extend(cards);
        self
    }

    /// Leaves out profiles whose id several files of the layer claim.
    fn only_ones<P>(
        &mut self,
        texts: &[ProfileText],
        claimed: BTreeMap<ProfileId, Vec<P>>,
        origin: impl Fn(&P) -> &Origin,
    ) -> BTreeMap<ProfileId, P> {
        let mut ones = BTreeMap::new();
        for (id, mut same) in claimed {
            if same.len() > 1 {
                for (at, profile) in same.iter().enumerate() {
                    let other = origin(&same[usize::from(at == 0)]);
                    let place = error::place(&other.file, other.line(texts, "id"), "");
                    self.refuse(texts, origin(profile), "id", Rule::DuplicateId.of([&place]));
                }
            } else if let Some(profile) = same.pop() {
                ones.insert(id, profile);
            }
        }
        ones
    }

    /// Leaves out both of any two profiles of the layer where it is open which is meant. What they would have replaced
    /// stays in force.
    fn apart<P>(
        &mut self,
        texts: &[ProfileText],
        mut profiles: BTreeMap<ProfileId, P>,
        alike: impl Fn(&BTreeMap<ProfileId, P>) -> Vec<Overlap>,
        origin: impl Fn(&P) -> &Origin,
    ) -> BTreeMap<ProfileId, P> {
        let overlaps = alike(&profiles);
        let origins: BTreeMap<ProfileId, Origin> =
            profiles.iter().map(|(id, profile)| (id.clone(), origin(profile).clone())).collect();
        for Overlap { ids, keys, what } in overlaps {
            for (at, other) in [(0, 1), (1, 0)] {
                let (Some(_), Some(theirs)) = (profiles.remove(&ids[at]), origins.get(&ids[other])) else { continue };
                let place = error::place(&theirs.file, theirs.line(texts, &keys[other]), &keys[other]);
                let other = format!("`{}` ({place})", ids[other]);
                let fault = Rule::Ambiguous.with([other.into(), what.clone()]);
                self.refuse(texts, &origins[&ids[at]], &keys[at], fault);
            }
        }
        profiles
    }

    fn refuse(&mut self, texts: &[ProfileText], origin: &Origin, key: &str, fault: Fault) {
        let line = origin.line(texts, key);
        let Origin { layer, file, .. } = origin.clone();
        self.errors.push(ProfileError { layer, file, line, key: Some(key.to_owned()), fault });
    }

    /// Files that are disabled, and why.
    #[must_use]
    pub fn errors(&self) -> &[ProfileError] {
        &self.errors
    }

    /// Profiles that go before others.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Reader profiles by id.
    pub fn readers(&self) -> impl Iterator<Item = &ReaderProfile> {
        self.readers.values()
    }

    /// Card profiles by id.
    pub fn cards(&self) -> impl Iterator<Item = &CardProfile> {
        self.cards.values()
    }

    /// The profile that fits a slot best: by layer, priority, USB id, firmware, length of the name pattern. Where none
    /// fits, `generic-ccid`.
    ///
    /// # Errors
    /// [`Ambiguous`] if two fit best alike.
    pub fn find_reader(&self, seen: &Sighting<'_>) -> Result<&ReaderProfile, Ambiguous> {
        match closest(self.readers.values(), seen) {
            (None, _) => Ok(self.generic()),
            (Some(reader), None) => Ok(reader),
            (Some(reader), Some(rival)) => {
                Err(Ambiguous { name: seen.name.to_owned(), ids: [reader.id.clone(), rival.id.clone()] })
            }
        }
    }

    fn generic(&self) -> &ReaderProfile {
        let found = self.readers.values().find(|reader| reader.id.as_str() == GENERIC_READER);
        found.expect("generic-ccid is shipped, and a layer can replace it but not take it away")
    }

    fn unknown(&self) -> &CardProfile {
        let found = self.cards.values().find(|card| card.id.as_str() == UNKNOWN_CARD);
        found.expect("fallback-unknown is shipped, and a layer can replace it but not take it away")
    }

    /// Which profiles a card may be, by its ATR alone: a verdict that it is none of ours, or the profiles to probe,
    /// those that SELECT an application first.
    #[must_use]
    pub fn candidates(&self, atr: &Atr, interface: Interface) -> Verdict<'_> {
        let mut admitted: Vec<&CardProfile> = self
            .cards
            .values()
            .filter(|card| !card.matching.is_empty() && card.matching.admits(atr, interface))
            .collect();
        admitted.sort_by_key(|card| Reverse((card.origin.layer, card.priority, card.matching.closeness(atr))));
        let first_by_atr = admitted.iter().find(|card| card.matching.looks_at_atr());
        if let Some(card) = first_by_atr.filter(|card| card.action != Action::Identify {}) {
            return Verdict::Reject(card);
        }
        admitted.retain(|card| card.action == Action::Identify {});
        admitted.sort_by_key(|card| card.matching.select.is_none());
        if admitted.is_empty() { Verdict::Reject(self.unknown()) } else { Verdict::Probe(admitted) }
    }

    /// Digest of the pair of profiles a reading went by, as records carry it: SHA-256 over the SHA-256 of the reader
    /// profile's text and that of the card profile's.
    #[must_use]
    pub fn digest(reader: &ReaderProfile, card: &CardProfile) -> Digest {
        let halves = [&reader.origin, &card.origin].map(|origin| origin.digest.map_or([0; 32], |digest| digest.0));
        text::sha256(halves.concat().as_slice())
    }

    /// What is in force: readers' profiles, then cards'.
    pub fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let readers = self.readers().map(|p| ("reader", &p.id, &p.origin, &p.evidence, &p.title));
        let cards = self.cards().map(|p| ("card", &p.id, &p.origin, &p.evidence, &p.title));
        readers.chain(cards).map(|(kind, id, origin, evidence, title)| Listed {
            kind,
            id,
            layer: origin.layer,
            file: &origin.file,
            status: evidence.status,
            title,
        })
    }
}

/// The reader profile that fits best, and another one that fits just as well.
fn closest<'a>(
    readers: impl Iterator<Item = &'a ReaderProfile>,
    seen: &Sighting<'_>,
) -> (Option<&'a ReaderProfile>, Option<&'a ReaderProfile>) {
    let (mut best, mut rival) = (None, None);
    for reader in readers.filter(|reader| reader.id.as_str() != GENERIC_READER) {
        let Some(closeness) = reader.matching.closeness(seen) else { continue };
        let rank = (reader.origin.layer, reader.priority, closeness);
        match best {
            Some((leading, _)) if rank < leading => {}
            Some((leading, _)) if rank == leading => rival = Some(reader),
            _ => (best, rival) = (Some((rank, reader)), None),
        }
    }
    (best.map(|(_, reader)| reader), rival)
}

/// One profile in force, for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// `reader` or `card`.
    pub kind: &'static str,
    /// Its id.
    pub id: &'a ProfileId,
    /// Where it comes from.
    pub layer: Layer,
    /// Its file there.
    pub file: &'a str,
    /// Whether anybody held such a thing in hand.
    pub status: EvidenceStatus,
    /// Its name for people.
    pub title: &'a str,
}
