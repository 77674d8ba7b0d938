//! What a card profile says: how to recognise a kind of card, what to do with it, and where its identity stands.

use serde::Deserialize;

use super::{
    Origin,
    card_match::{CardMatch, StorageMatch},
    card_samples::CardTests,
    error::{Detail, Fault},
    extract::{Extract, NumberCheck, UidTransform},
    hex::Hex,
    message::{NdefNumber, SunParameters},
    pattern::ProfileId,
    payment,
    place::{Misfit, from_table, from_text},
    preamble::{Evidence, Messages, Schema, check_title},
    rule::Rule,
    step::Step,
};
use crate::domain::{
    ids::DistrictId,
    reading::{Level, ReadFailure, Route},
};

from_text!(IssuerScope);
from_table!(Action, ActionText);

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerScope {
    /// Every district: `de:*`.
    All,
    /// One.
    District(DistrictId),
}

impl TryFrom<String> for IssuerScope {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        if text == "de:*" {
            return Ok(Self::All);
        }
        let key = text.strip_prefix("de:").unwrap_or_default();
        let plain = key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_digit());
        let district = if plain { DistrictId::new(text).ok() } else { None };
        district.map(Self::District).ok_or_else(|| Rule::ScopeForm.into())
    }
}

/// What to do with such a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read its identity.
    Identify {},
    /// Do not read it; tell its holder why.
    Reject {
        /// What it is.
        class: RejectClass,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionText {
    #[serde(rename = "type")]
    kind: ActionKind,
    class: Option<RejectClass>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionKind {
    Identify,
    Reject,
}

impl TryFrom<ActionText> for Action {
    type Error = Misfit;

    fn try_from(text: ActionText) -> Result<Self, Misfit> {
        match (text.kind, text.class) {
            (ActionKind::Identify, None) => Ok(Self::Identify {}),
            (ActionKind::Identify, Some(_)) => Err(Misfit::Unknown("class", &["type"])),
            (ActionKind::Reject, Some(class)) => Ok(Self::Reject { class }),
            (ActionKind::Reject, None) => Err(Misfit::Missing("class")),
        }
    }
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
    /// A text or address in the NDEF message of a type 4 tag.
    Ndef,
    /// The education card (card-application, 1).
    Bik1,
    /// A message of an NTAG 424 DNA that the account checks.
    Ntag424Sun,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 7] =
        [Self::Uid, Self::StorageRead, Self::FileRead, Self::DesfireRead, Self::Ndef, Self::Bik1, Self::Ntag424Sun];

    /// The highest level the method can prove (card-application, 3). A profile can only lower it.
    #[must_use]
    pub const fn ceiling(self) -> Level {
        match self {
            Self::Uid | Self::StorageRead | Self::FileRead | Self::DesfireRead | Self::Ndef => Level::SEEN,
            Self::Ntag424Sun => Level::SYMMETRIC,
            Self::Bik1 => Level::PROVEN,
        }
    }

    /// The route a reading by this method takes; `phone` for a card played by a phone.
    #[must_use]
    pub const fn route(self, phone: bool) -> Route {
        match self {
            Self::Uid | Self::StorageRead | Self::FileRead | Self::DesfireRead | Self::Ndef => Route::Uid,
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
            Self::Ndef => "ndef",
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
    /// Where in an NDEF message.
    pub ndef: Option<NdefNumber>,
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

impl Limits {
    fn check(&self) -> Result<(), (String, Fault)> {
        let limits = [
            ("max_answer", self.max_answer, 1, 4096),
            ("max_steps", self.max_steps.into(), 1, 16),
            ("total_ms", self.total_ms, 100, 10_000),
            ("retries", self.retries.into(), 0, 3),
        ];
        let outside = limits.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        outside.map_or(Ok(()), |(key, _, least, most)| {
            Err((format!("limits.{key}"), Rule::Limit.of([&least.to_string(), &most.to_string()])))
        })
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
        let wrong = |key: &str, rule: Rule| Err((key.to_owned(), rule.into()));
        if self.matching.is_empty() && self.id.as_str() != super::UNKNOWN_CARD {
            let nothing = self.matching.interface.is_empty();
            return wrong("match", if nothing { Rule::CardMatchEmpty } else { Rule::CardMatchInterface });
        }
        self.matching.check()?;
        check_title("title", &self.title)?;
        self.evidence.check()?;
        if self.id.as_str() == super::UNKNOWN_CARD
            && (!self.matching.is_empty() || self.action != (Action::Reject { class: RejectClass::Unknown }))
        {
            return wrong("action", Rule::Fallback);
        }
        self.limits.check()?;
        self.check_action()?;
        self.messages.check()?;
        self.check_samples()
    }

    fn check_action(&self) -> Result<(), (String, Fault)> {
        let wrong = |key: &str, rule: Rule| Err((key.to_owned(), rule.into()));
        let identify = match (&self.action, &self.identify) {
            (Action::Reject { .. }, None) if self.auth.is_some() => {
                return wrong("auth", Rule::RejectAuth);
            }
            // A reject verdict falls before anything is sent to the card.
            (Action::Reject { .. }, None) if self.matching.select.is_some() || self.matching.get_version.is_some() => {
                return wrong("match", Rule::RejectMatch);
            }
            (Action::Reject { .. }, None) => return Ok(()),
            (Action::Reject { .. }, Some(_)) => return wrong("identify", Rule::RejectIdentify),
            (Action::Identify {}, None) => return wrong("action", Rule::IdentifyMissing),
            (Action::Identify {}, Some(identify)) => identify,
        };
        if self.issuer_scope.is_empty() {
            return wrong("issuer_scope", Rule::ScopeMissing);
        }
        let method = identify.method;
        if let Some(auth) = &self.auth {
            if auth.method != method {
                return wrong("auth.method", Rule::AuthMethod);
            }
            let ceiling = method.ceiling().get();
            if let Some(wanted) = auth.max_level.filter(|level| *level > ceiling) {
                let levels = [wanted, ceiling, ceiling].map(|level| Detail::from(level.to_string()));
                return Err(("auth.max_level".to_owned(), Rule::LevelTooHigh.with(levels)));
            }
        }
        if method == Method::Bik1 && self.matching.select.is_none() {
            return Err(("match".to_owned(), Rule::NeedsSelect.of([method.word()])));
        }
        if method == Method::Uid && self.matching.uid.is_none() {
            return wrong("match", Rule::NeedsUid);
        }
        if method == Method::Ntag424Sun && (identify.sun.is_none() || self.matching.select.is_none()) {
            return wrong("identify.sun", Rule::NeedsSun);
        }
        if (method == Method::Ndef) != identify.ndef.is_some() {
            return wrong("identify.ndef", Rule::NeedsNdef);
        }
        if let Some(number) = &identify.ndef {
            if self.matching.select.is_none() {
                return Err(("match".to_owned(), Rule::NeedsSelect.of([method.word()])));
            }
            number.check().map_err(|(key, fault)| (below("identify.ndef", key), fault))?;
        }
        let word = method.word();
        for (key, given) in [("steps", !identify.steps.is_empty()), ("extract", identify.extract.is_some())] {
            let rule = match (method.has_steps(), given) {
                (true, false) => Rule::NeedsStepsAndExtract,
                (false, true) => Rule::HasNoSteps,
                _ => continue,
            };
            return Err((format!("identify.{key}"), rule.of([word, key])));
        }
        if method != Method::Uid && !identify.uid_transform.is_empty() {
            return wrong("identify.uid_transform", Rule::NoUidToTransform);
        }
        UidTransform::check(&identify.uid_transform)
            .map_err(|(at, fault)| (format!("identify.uid_transform.{}", at + 1), fault))?;
        let of_a_key = self.matching.storage.as_ref().and_then(StorageMatch::needs_a_key);
        if let Some(name) = of_a_key.filter(|_| method == Method::StorageRead) {
            return Err(("match.storage".to_owned(), Rule::StorageNeedsKey.of([&name])));
        }
        if identify.steps.len() > usize::from(self.limits.max_steps) {
            return wrong("identify.steps", Rule::StepCount);
        }
        if let Some(select) = &self.matching.select {
            self.check_aid("match.select.aid", select.aid.bytes())?;
        }
        for (index, step) in identify.steps.iter().enumerate() {
            let key = format!("identify.steps.{}", index + 1);
            step.check(method).map_err(|(wrong, fault)| (below(&key, wrong), fault))?;
            step.aid().map_or(Ok(()), |(name, aid)| self.check_aid(&below(&key, name), aid))?;
        }
        if let Some(extract) = &identify.extract {
            let check = extract.check(&identify.steps, self.limits.max_answer);
            check.map_err(|(key, fault)| (below("identify.extract", key), fault))?;
        }
        Ok(())
    }

    /// The application may be selected. A SELECT may name the first bytes only, so these count as the whole.
    fn check_aid(&self, key: &str, aid: &[u8]) -> Result<(), (String, Fault)> {
        let name = || data_encoding::HEXUPPER.encode(aid);
        if let Some(scheme) = payment::scheme(aid) {
            return Err((key.to_owned(), Rule::Payment.with([name().into(), scheme])));
        }
        let never = &self.privacy.never_read;
        if never.iter().any(|Hex(never)| never.starts_with(aid) || aid.starts_with(never)) {
            return Err((key.to_owned(), Rule::NeverRead.of([&name()])));
        }
        Ok(())
    }
}

/// The dotted name of a key below another; of the other itself if none below it is wrong.
fn below(key: &str, name: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{key}.{name}") }
}
