//! What a card profile says: how to recognise a kind of card, what to do with it, and where its identity stands.

use std::fmt;

use serde::Deserialize;

use super::{
    Origin,
    atr::{Atr, AtrPattern},
    common::{Evidence, Messages, Schema},
    error::Fault,
    extract::{Extract, NumberCheck, Step, SunParameters, UidTransform, uid_text},
    hex::Hex,
    pattern::ProfileId,
    reader::Interface,
};
use crate::domain::{
    ids::DistrictId,
    reading::{Level, ReadFailure, Route},
};

/// A kind of card. `firmware-profiles/README.md` explains every key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardProfile {
    #[serde(skip)]
    pub(super) origin: Origin,
    #[serde(rename = "schema")]
    _schema: Schema,
    #[serde(rename = "kind")]
    _kind: CardKind,
    /// Name of the profile and, with `.toml`, of its file.
    pub id: ProfileId,
    /// Name for people.
    pub title: String,
    /// Whose cards these are: `de:*` or district ids.
    #[serde(default)]
    pub issuer_scope: Vec<IssuerScope>,
    /// Wins over profiles of lower priority that match the same card.
    #[serde(default)]
    pub priority: i16,
    /// Whether anybody has held such a card in hand.
    pub evidence: Evidence,
    /// How to recognise it.
    #[serde(rename = "match", default)]
    pub matching: CardMatch,
    /// What to do with it.
    pub action: Action,
    /// Where its identity stands; present exactly if the action is to identify.
    pub identify: Option<Identify>,
    /// How it proves itself.
    pub auth: Option<Auth>,
    /// How much of it may be read.
    #[serde(default)]
    pub limits: Limits,
    /// What must not be read or shown.
    #[serde(default)]
    pub privacy: Privacy,
    /// Texts for people, per language.
    #[serde(default)]
    pub messages: Messages,
    /// Samples that are tried whenever the profile is loaded.
    #[serde(default)]
    pub tests: CardTests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CardKind {
    Card,
}

/// Districts whose cards a profile describes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum IssuerScope {
    /// Every district: `de:*`.
    All,
    /// One.
    District(DistrictId),
}

impl TryFrom<String> for IssuerScope {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "a scope is \"de:*\" or a district such as \"de:05112000\"";
        if text == "de:*" {
            return Ok(Self::All);
        }
        let key = text.strip_prefix("de:").ok_or(EXPECTED)?;
        if key.len() != 8 || !key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EXPECTED);
        }
        DistrictId::new(text).map(Self::District).map_err(|_| EXPECTED)
    }
}

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
    /// SAK, for cards the reader names FFxx.
    #[serde(default)]
    pub sak: Vec<u8>,
}

impl StorageMatch {
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "Hex")]
pub struct Aid(Vec<u8>);

impl TryFrom<Hex> for Aid {
    type Error = &'static str;

    fn try_from(Hex(bytes): Hex) -> Result<Self, Self::Error> {
        if (5..=16).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err("an AID has 5 to 16 bytes") }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Hex")]
pub struct StatusWord(pub u16);

impl TryFrom<Hex> for StatusWord {
    type Error = &'static str;

    fn try_from(Hex(bytes): Hex) -> Result<Self, Self::Error> {
        let word = bytes.try_into().map_err(|_| "a status word has two bytes, such as \"9000\"")?;
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

/// What to do with such a card.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Action {
    /// Read its identity.
    Identify {},
    /// Do not read it; tell its holder why.
    Reject {
        /// What it is.
        class: RejectClass,
    },
}

/// Cards that people hold to the reader by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RejectClass {
    /// Electronic health card.
    Health,
    /// Identity card, residence permit.
    Identity,
    /// Bank card.
    Bank,
    /// Transit ticket.
    Transit,
    /// Anything else.
    Unknown,
}

impl RejectClass {
    /// What the holder is told.
    #[must_use]
    pub const fn failure(self) -> ReadFailure {
        match self {
            Self::Health => ReadFailure::ForeignHealth,
            Self::Identity => ReadFailure::ForeignIdentity,
            Self::Bank => ReadFailure::ForeignBank,
            Self::Transit => ReadFailure::ForeignTransit,
            Self::Unknown => ReadFailure::Foreign,
        }
    }
}

/// Ways of reading an identity that this program has code for. Anything else is an unknown word: a new method is code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The chip's UID.
    Uid,
    /// Bytes of a storage card that can be read without a key.
    StorageRead,
    /// Bytes of a file or data object of an ISO 7816-4 card.
    FileRead,
    /// Bytes of a freely readable DESFire file.
    DesfireRead,
    /// The education card (card-application, 1).
    Bik1,
    /// A message of an NTAG 424 DNA that the account checks.
    Ntag424Sun,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 6] =
        [Self::Uid, Self::StorageRead, Self::FileRead, Self::DesfireRead, Self::Bik1, Self::Ntag424Sun];

    /// The highest level the method can prove (card-application, 3). A profile can only lower it.
    #[must_use]
    pub const fn ceiling(self) -> Level {
        match self {
            Self::Uid | Self::StorageRead | Self::FileRead | Self::DesfireRead => Level::SEEN,
            Self::Ntag424Sun => Level::SYMMETRIC,
            Self::Bik1 => Level::PROVEN,
        }
    }

    /// The route a reading by this method takes; `phone` for a card played by a phone.
    #[must_use]
    pub const fn route(self, phone: bool) -> Route {
        match self {
            Self::Uid | Self::StorageRead | Self::FileRead | Self::DesfireRead => Route::Uid,
            Self::Bik1 | Self::Ntag424Sun if phone => Route::Phone,
            Self::Bik1 | Self::Ntag424Sun => Route::Chip,
        }
    }

    /// The word in a profile.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::StorageRead => "storage-read",
            Self::FileRead => "file-read",
            Self::DesfireRead => "desfire-read",
            Self::Bik1 => "bik1",
            Self::Ntag424Sun => "ntag424-sun",
        }
    }

    const fn has_steps(self) -> bool {
        matches!(self, Self::StorageRead | Self::FileRead | Self::DesfireRead)
    }
}

/// Where the identity stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identify {
    /// How it is read.
    pub method: Method,
    /// What is read, for the methods that read bytes.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Where in what was read.
    pub extract: Option<Extract>,
    /// What a UID becomes, applied in order.
    #[serde(default)]
    pub uid_transform: Vec<UidTransform>,
    /// What a number must fulfil.
    #[serde(default)]
    pub number_check: NumberCheck,
    /// Where keys come from. A profile never holds one.
    #[serde(default)]
    pub keys_from: KeysFrom,
    /// Names of the parameters in the message of an NTAG 424 DNA.
    pub sun: Option<SunParameters>,
}

/// Where keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeysFrom {
    /// None are needed, or the account has them.
    #[default]
    None,
}

/// How a card proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The same as the identifying method.
    pub method: Method,
    /// Lowers the method's ceiling.
    pub max_level: Option<u8>,
}

/// How much of a card may be read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one logical answer, 1 to 4096.
    pub max_answer: u32,
    /// Steps, 1 to 16.
    pub max_steps: u8,
    /// Milliseconds of the whole reading, 100 to 10000.
    pub total_ms: u32,
    /// Repetitions after a fault of the card, 0 to 3.
    pub retries: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_answer: 4096, max_steps: 16, total_ms: 4000, retries: 1 }
    }
}

/// What must not be read or shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// What a service page may show of the identity.
    pub log_mask: LogMask,
    /// AIDs, as hexadecimal, that no step may select.
    pub never_read: Vec<Hex>,
}

/// What a service page may show of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogMask {
    /// Nothing.
    #[default]
    All,
    /// The last four characters.
    Last4,
}

/// Samples that are tried at load time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardTests {
    /// ATRs.
    #[serde(rename = "atr")]
    pub atrs: Vec<SampleAtr>,
    /// UIDs and what becomes of them.
    #[serde(rename = "uid")]
    pub uids: Vec<SampleUid>,
}

/// An ATR, and whether the conditions on ATRs hold for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleAtr {
    /// The ATR.
    pub atr: Hex,
    /// What must come out.
    pub matches: bool,
    /// Which card it is, for people.
    #[serde(default)]
    pub note: String,
}

/// A UID, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleUid {
    /// As the reader gives it, in the order of the standard.
    pub uid: Hex,
    /// After the transforms.
    pub text: String,
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

    fn admits_atr(&self, atr: &Atr) -> bool {
        let storage = atr.storage_card();
        let by_storage = self.storage.as_ref().is_none_or(|wanted| {
            storage.is_some_and(|card| wanted.ss.contains(&card.standard) && wanted.names().any(|nn| nn == card.name))
        });
        let by_historical = self.historical.as_ref().is_none_or(|wanted| {
            atr.historical().windows(wanted.contains.0.len()).any(|window| window == wanted.contains.0)
        });
        let by_pattern = self.atr.is_empty() || self.atr.iter().any(|pattern| pattern.matches(atr.bytes()));
        // A storage card has no applications to select, unless the reader merely stopped before layer 4.
        let selectable = self.select.is_none() || storage.is_none_or(|card| card.hides_layer_4());
        by_storage && by_historical && by_pattern && selectable
    }

    /// Some card may fit both and nothing says which profile is meant.
    pub(super) fn collides(&self, other: &Self, samples: &[Atr]) -> bool {
        let apart = |mine: &[Interface], theirs: &[Interface]| {
            !mine.is_empty() && !theirs.is_empty() && !mine.iter().any(|interface| theirs.contains(interface))
        };
        if apart(&self.interface, &other.interface) {
            return false;
        }
        match (&self.select, &other.select) {
            (Some(ours), Some(theirs)) => {
                let same_player = ours.phone.is_none() || theirs.phone.is_none() || ours.phone == theirs.phone;
                return ours.aid == theirs.aid && same_player && self.shares_atr(other, samples);
            }
            // SELECT is probed first; what it does not claim is left to the ATR.
            (Some(_), None) | (None, Some(_)) => return false,
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
        !told_by_uid && !told_by_version && self.shares_atr(other, samples)
    }

    fn shares_atr(&self, other: &Self, samples: &[Atr]) -> bool {
        let by_pattern = self.atr.iter().any(|ours| {
            let equal = |theirs: &AtrPattern| ours.specificity() == theirs.specificity() && ours.overlaps(theirs);
            other.atr.iter().any(equal)
        });
        let by_storage = self.storage.as_ref().zip(other.storage.as_ref()).is_some_and(|(ours, theirs)| {
            ours.ss.iter().any(|ss| theirs.ss.contains(ss)) && ours.names().any(|nn| theirs.names().any(|nm| nm == nn))
        });
        let by_nothing = !self.looks_at_atr() && !other.looks_at_atr();
        let both_admit = |atr: &Atr| self.admits_atr(atr) && other.admits_atr(atr);
        let by_sample = |atr: &Atr| both_admit(atr) && self.closeness(atr) == other.closeness(atr);
        by_nothing || by_pattern || by_storage || samples.iter().any(by_sample)
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
}

impl CardProfile {
    /// The highest level a reading of this card can have; level 0 if it is rejected.
    #[must_use]
    pub fn max_level(&self) -> Level {
        let Some(identify) = &self.identify else { return Level::TYPED };
        let ceiling = identify.method.ceiling();
        let lowered = self.auth.as_ref().and_then(|auth| auth.max_level).and_then(Level::new);
        lowered.map_or(ceiling, |level| level.min(ceiling))
    }

    /// How its identity is read; `None` if it is rejected.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.identify.as_ref().map(|identify| identify.method)
    }

    /// The profile is for a card that a phone plays.
    #[must_use]
    pub fn is_phone(&self) -> bool {
        self.matching.select.as_ref().is_some_and(|select| select.phone == Some(true))
    }

    /// The route of a reading by this profile; `None` if it is rejected.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        self.identify.as_ref().map(|identify| identify.method.route(self.is_phone()))
    }

    /// The one district whose cards the profile describes; `None` if there are several, or it does not matter.
    #[must_use]
    pub fn district(&self) -> Option<&DistrictId> {
        match self.issuer_scope.as_slice() {
            [IssuerScope::District(district)] => Some(district),
            _ => None,
        }
    }

    /// Cards of that district may be read by this profile.
    #[must_use]
    pub fn permits(&self, district: &DistrictId) -> bool {
        self.issuer_scope.iter().any(|scope| match scope {
            IssuerScope::All => true,
            IssuerScope::District(ours) => ours == district,
        })
    }

    /// Everything that one file can tell about itself; the key and the fault of the first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (String, Fault)> {
        let wrong = |key: &str, text: &str| Err((key.to_owned(), Fault::Value(text.to_owned())));
        if self.matching.is_empty() && self.id.as_str() != super::UNKNOWN_CARD {
            return Err(("match".to_owned(), Fault::MatchesEverything));
        }
        if let Some(storage) = &self.matching.storage
            && (storage.ss.is_empty() || storage.names().next().is_none())
        {
            return wrong("match.storage", "ss and one of nn and sak hold at least one value");
        }
        if self.matching.historical.as_ref().is_some_and(|wanted| wanted.contains.0.is_empty()) {
            return wrong("match.historical.contains", "at least one byte is expected");
        }
        if let Some(uid) = &self.matching.uid {
            if uid.lengths.is_empty() || uid.lengths.iter().any(|length| !matches!(length, 4 | 7 | 8 | 10)) {
                return wrong("match.uid.lengths", "a UID has 4, 7, 8 or 10 bytes");
            }
            if !uid.reject_random {
                return wrong("match.uid.reject_random", "a random UID identifies nobody; only true is allowed");
            }
        }
        if self.id.as_str() == super::UNKNOWN_CARD
            && (!self.matching.is_empty() || self.action != (Action::Reject { class: RejectClass::Unknown }))
        {
            return wrong("action", "fallback-unknown has no condition and rejects with class unknown");
        }
        let Limits { max_answer, max_steps, total_ms, retries } = self.limits;
        if !(1..=4096).contains(&max_answer)
            || !(1..=16).contains(&max_steps)
            || !(100..=10_000).contains(&total_ms)
            || retries > 3
        {
            return wrong("limits", "max_answer 1 to 4096, max_steps 1 to 16, total_ms 100 to 10000, retries 0 to 3");
        }
        self.check_action()?;
        self.messages.check()?;
        self.check_samples()
    }

    fn check_action(&self) -> Result<(), (String, Fault)> {
        let fault = |key: &str, text: &'static str| Err((key.to_owned(), Fault::Method(text)));
        let identify = match (&self.action, &self.identify) {
            (Action::Reject { .. }, None) if self.auth.is_some() => {
                return fault("auth", "a card that is rejected is not authenticated");
            }
            // A reject verdict falls before anything is sent to the card.
            (Action::Reject { .. }, None) if self.matching.select.is_some() || self.matching.get_version.is_some() => {
                return fault("match", "a card is rejected by its ATR alone; nothing is sent to it");
            }
            (Action::Reject { .. }, None) => return Ok(()),
            (Action::Reject { .. }, Some(_)) => return fault("identify", "a card that is rejected is not read"),
            (Action::Identify {}, None) => {
                return fault("action", "[identify] says how the card is read; it is missing");
            }
            (Action::Identify {}, Some(identify)) => identify,
        };
        if self.issuer_scope.is_empty() {
            return fault("issuer_scope", "whose cards are read: \"de:*\" or district ids");
        }
        let method = identify.method;
        if let Some(auth) = &self.auth {
            if auth.method != method {
                return fault("auth.method", "a card proves itself by the method it is identified by");
            }
            let wanted = auth.max_level.map(|level| Level::new(level).ok_or(level));
            match wanted {
                Some(Err(wanted)) => {
                    let ceiling = method.ceiling().get();
                    return Err(("auth.max_level".to_owned(), Fault::LevelTooHigh { wanted, ceiling }));
                }
                Some(Ok(level)) if level > method.ceiling() => {
                    return Err(("auth.max_level".to_owned(), Fault::level(level, method.ceiling())));
                }
                _ => {}
            }
        }
        if method == Method::Bik1 && self.matching.select.is_none() {
            return fault("match", "method bik1 needs [match] select");
        }
        if method == Method::Uid && self.matching.uid.is_none() {
            return fault("match", "method uid needs [match] uid");
        }
        if method == Method::Ntag424Sun && (identify.sun.is_none() || self.matching.select.is_none()) {
            return fault("identify.sun", "method ntag424-sun needs [identify] sun and [match] select");
        }
        if method.has_steps() != !identify.steps.is_empty() || method.has_steps() != identify.extract.is_some() {
            return fault(
                "identify.steps",
                "steps and extract belong to storage-read, file-read and desfire-read alone",
            );
        }
        if method != Method::Uid && !identify.uid_transform.is_empty() {
            return fault("identify.uid_transform", "only method uid has a UID to transform");
        }
        if identify.steps.len() > usize::from(self.limits.max_steps) {
            return fault("identify.steps", "more steps than limits.max_steps allows");
        }
        for (index, step) in identify.steps.iter().enumerate() {
            step.check(method).map_err(|fault| (format!("identify.steps.{index}"), fault))?;
            if let Some(forbidden) = step.aid().filter(|aid| self.privacy.never_read.iter().any(|no| no.0 == *aid)) {
                let name = data_encoding::HEXUPPER.encode(forbidden);
                return Err((format!("identify.steps.{index}"), Fault::NeverRead(name)));
            }
        }
        if let Some(extract) = &identify.extract {
            extract.check(&identify.steps).map_err(|fault| ("identify.extract".to_owned(), fault))?;
        }
        Ok(())
    }

    fn check_samples(&self) -> Result<(), (String, Fault)> {
        let samples = &self.tests.atrs;
        for (index, sample) in samples.iter().enumerate() {
            let atr = Atr::new(&sample.atr.0);
            if self.matching.admits_atr(&atr) != sample.matches {
                let fault = Fault::SampleAtr { atr: atr.to_string(), expected: sample.matches };
                return Err((format!("tests.atr.{index}"), fault));
            }
        }
        if self.matching.looks_at_atr() && !samples.iter().any(|sample| sample.matches) {
            let text = "a profile that looks at the ATR has at least one [[tests.atr]] with matches = true";
            return Err(("tests".to_owned(), Fault::Missing(text.to_owned())));
        }
        for (index, pattern) in self.matching.atr.iter().enumerate() {
            if !samples.iter().any(|sample| pattern.matches(&sample.atr.0)) {
                let text = "no [[tests.atr]] matches this pattern";
                return Err((format!("match.atr.{index}"), Fault::Missing(text.to_owned())));
            }
        }
        let transforms = self.identify.as_ref().map_or(&[][..], |identify| &identify.uid_transform);
        for (index, sample) in self.tests.uids.iter().enumerate() {
            let text = uid_text(transforms, &sample.uid.0);
            if text != sample.text {
                let text = format!("this UID becomes `{text}`, [tests] expects `{}`", sample.text);
                return Err((format!("tests.uid.{index}"), Fault::Value(text)));
            }
        }
        Ok(())
    }
}
