//! What a reader profile says: how to recognise a model, what its slots are for, what it can do, how long it takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Deserialize;

use super::{
    Origin,
    error::Fault,
    hex::Hex,
    pattern::{Bcd, Pattern, ProfileId},
    preamble::{Evidence, Messages, Schema, Topic, check_title},
    reader_match::{ReaderMatch, SlotRole, SlotRule, System},
    rule::Rule,
    signal::{Family, LedBits, Moment, SignalStep, Signals},
};

/// Most samples of one kind in a profile: each is tried against those of every other.
const MAX_SAMPLES: usize = 64;

/// A model of reader. `firmware-profiles/README.md` explains every key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderProfile {
    #[serde(skip)]
    pub(super) origin: Origin,
    #[serde(rename = "schema")]
    _schema: Schema,
    #[serde(rename = "kind")]
    _kind: ReaderKind,
    /// Name of the profile and, with `.toml`, of its file.
    pub id: ProfileId,
    /// Name for people.
    pub title: String,
    /// Maker.
    pub vendor: String,
    /// Model as the maker calls it.
    pub model: String,
    /// Wins over profiles of lower priority that match the same reader.
    #[serde(default)]
    pub priority: i16,
    /// Whether anybody has held this reader in hand.
    pub evidence: Evidence,
    /// How to recognise it.
    #[serde(rename = "match", default)]
    pub matching: ReaderMatch,
    /// What each slot is for; the first rule that fits counts.
    #[serde(rename = "slot", default)]
    pub slots: Vec<SlotRule>,
    /// What it can do.
    #[serde(default)]
    pub capability: Capability,
    /// How long it takes.
    #[serde(default)]
    pub timing: Timing,
    /// How its own commands are reached.
    #[serde(default)]
    pub escape: Escape,
    /// What it shows and sounds.
    #[serde(default)]
    pub signals: Signals,
    /// Behaviour that needs code.
    #[serde(default)]
    pub quirk: Quirks,
    /// What the machine needs for it.
    #[serde(default)]
    pub host: Host,
    /// Firmware somebody has met.
    #[serde(default)]
    pub known_firmware: Vec<KnownFirmware>,
    /// Texts for people, per language.
    #[serde(default)]
    pub messages: Messages,
    /// Samples that are tried whenever the profile is loaded.
    #[serde(default)]
    pub tests: ReaderTests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReaderKind {
    Reader,
}

/// What a reader can do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "as many independent facts, each a key of its own")]
pub struct Capability {
    /// Usable through PC/SC. If not, the model is known and the message `unsupported` tells people so.
    pub pcsc: bool,
    /// Passes extended APDUs. Can only lower what the driver announces.
    pub extended_apdu: bool,
    /// Longest command in bytes.
    pub max_command: u32,
    /// Longest answer in bytes, status word included.
    pub max_answer: u32,
    /// Largest useful Le of one READ BINARY, 1 to 256.
    pub max_le: u16,
    /// May be asked for blocks by FF B0 of PC/SC part 3. Unless a profile denies it, as of a reader nobody knows: one that
    /// does not understand class FF answers with a status word.
    pub storage_apdus: bool,
    /// No real card need stand behind what it reads: no production account is used with it.
    pub simulated: bool,
    /// May be asked for the UID by FF CA; likewise.
    pub uid: bool,
    /// Order of the UID's bytes, per standard.
    pub uid_order: UidOrders,
    /// What it can talk to.
    pub technologies: BTreeSet<Technology>,
}

impl Default for Capability {
    fn default() -> Self {
        Self {
            pcsc: true,
            extended_apdu: false,
            max_command: 261,
            max_answer: 258,
            max_le: 0xE0,
            storage_apdus: true,
            simulated: false,
            uid: true,
            uid_order: UidOrders::default(),
            technologies: BTreeSet::new(),
        }
    }
}

/// Order in which a reader gives a UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UidOrder {
    /// As in the anticollision loop, or most significant byte first.
    #[default]
    Asis,
    /// Least significant byte first.
    Reversed,
}

/// Order of the UID's bytes, per standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UidOrders {
    /// ISO 14443.
    pub iso14443: UidOrder,
    /// ISO 15693.
    pub iso15693: UidOrder,
}

/// What a reader can talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Technology {
    /// ISO 14443 type A.
    #[serde(rename = "14443a")]
    Iso14443A,
    /// ISO 14443 type B.
    #[serde(rename = "14443b")]
    Iso14443B,
    /// ISO 15693.
    #[serde(rename = "15693")]
    Iso15693,
    /// JIS X 6319-4.
    #[serde(rename = "felica")]
    Felica,
    /// ISO 7816-3.
    #[serde(rename = "contact")]
    Contact,
}

/// Times in milliseconds, each at most [`Timing::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    settle_after_insert: u32,
    /// How often connecting is tried again.
    pub connect_retries: u8,
    connect_retry_delay: u32,
    transmit_hint: u32,
    transmit_watchdog: u32,
    removal_debounce: u32,
    first_status: u32,
    poll: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle_after_insert: 0,
            connect_retries: 2,
            connect_retry_delay: 150,
            transmit_hint: 1500,
            transmit_watchdog: 8000,
            removal_debounce: 300,
            first_status: 1000,
            poll: 1000,
        }
    }
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl Timing {
            /// Longest time a profile may ask for, in milliseconds.
            pub const MAX: u32 = 60_000;

            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Duration {
                Duration::from_millis(u64::from(self.$name))
            })*

            fn too_long(&self) -> Option<&'static str> {
                [$((stringify!($name), self.$name)),*].into_iter().find(|(_, time)| *time > Self::MAX).map(|(name, _)| name)
            }
        }
    };
}

durations! {
    /// Wait between the card's appearing and connecting.
    settle_after_insert,
    /// Wait before connecting again.
    connect_retry_delay,
    /// After this the screen says that the card should stay.
    transmit_hint,
    /// After this a call is given up and its thread abandoned.
    transmit_watchdog,
    /// A card that returns within this time was never away.
    removal_debounce,
    /// Longest first answer to a status query after plugging in.
    first_status,
    /// Longest wait for one event.
    poll,
}

/// How commands to the reader itself are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Escape {
    /// Which compiled-in table of verbs applies.
    pub family: Family,
    /// Control code per system, before the system's own macro is applied.
    pub control_code: BTreeMap<System, u32>,
    /// Closed until somebody opens it in the driver's settings.
    pub needs_driver_option: bool,
    /// Works while no card is present.
    pub works_without_card: bool,
    /// The same bytes pass through `SCardTransmit` while a card is present.
    pub via_transmit_with_card: bool,
    /// Which bit is which light; family `acs-e0` only.
    pub led_bits: LedBits,
}

/// Behaviour that needs code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// The names.
    pub flags: BTreeSet<Quirk>,
}

/// One named peculiarity. The list is closed: a name here means that the program, or the advice of the service tool,
/// takes it into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// libccid refuses old firmware unless told otherwise.
    BogusFirmwareRefused,
    /// The first status answer takes up to a second.
    SlowFirstStatus,
    /// A kernel module claims the device.
    KernelModuleConflict,
    /// Ignores the card's requests for more time.
    NoWtx,
    /// Answers of exactly 256 bytes fail.
    #[serde(rename = "fails_256_answer")]
    Fails256Answer,
    /// Announces extended APDUs and drops them.
    FailsExtendedDespiteClaim,
    /// The SAM slot shows a mute card.
    SamSlotMute,
    /// Stops at layer 3 unless a setting enforces layer 4.
    NeedsEnforcePart4,
    /// As a keyboard it is no PC/SC reader.
    WedgeModeHidesCcid,
    /// Powering up fails now and then and works at the second try.
    RetryPowerUp,
    /// Dead until plugged in again.
    StuckUntilReplug,
    /// Copies with the same USB id behave otherwise.
    CloneSameUsbId,
    /// Several units have the same serial number.
    SerialNotUnique,
    /// The firmware's number is part of the name.
    FirmwareInName,
    /// Settings survive unplugging.
    NonvolatileSettings,
}

/// What the machine needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// On Linux.
    pub linux: HostLinux,
    /// On Windows.
    pub windows: HostDriver,
    /// On macOS.
    pub macos: HostDriver,
}

/// What Linux needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostLinux {
    /// First libccid that knows the model.
    pub min_libccid: Option<String>,
    /// A package that can serve instead.
    pub alt_driver: Option<String>,
    /// Kernel modules that must not load.
    pub blacklist_modules: Vec<String>,
    /// udev rules, by file name of the package that ships them.
    pub udev: Vec<String>,
    /// Group the user must be in.
    pub group: Option<String>,
}

/// What another system needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostDriver {
    /// Driver to install.
    pub driver: Option<String>,
    /// What to set in the registry or elsewhere.
    pub note: Option<String>,
}

/// Firmware somebody has met.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFirmware {
    /// bcdDevice.
    pub bcd: Bcd,
    /// How it fares.
    pub status: FirmwareStatus,
}

/// How a firmware fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirmwareStatus {
    /// Must be updated.
    Bad,
    /// Was tried.
    Ok,
    /// Exists; not tried.
    Untested,
}

/// Samples that are tried at load time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReaderTests {
    /// Names.
    #[serde(rename = "name")]
    pub names: Vec<SampleName>,
    /// Firmware texts.
    pub firmware_texts: Vec<String>,
    /// ATRs this model was seen to give; each must be well-formed.
    pub atrs: Vec<Hex>,
}

/// A name, and what the slot must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleName {
    /// System that gives it.
    pub os: System,
    /// The name.
    pub name: String,
    /// What the slot is for.
    pub role: SlotRole,
    /// Somebody saw it in a log; otherwise it is composed by the driver's rule.
    #[serde(default)]
    pub seen: bool,
}

impl ReaderProfile {
    /// What the slot of that name is for. A slot no rule fits is not used.
    #[must_use]
    pub fn slot_role(&self, name: &str) -> SlotRole {
        if !self.capability.pcsc {
            return SlotRole::Ignore;
        }
        self.slot_rule(name).map_or(SlotRole::Ignore, |rule| rule.role)
    }

    /// This firmware is known to fail.
    #[must_use]
    pub fn firmware_is_bad(&self, bcd_device: u16) -> bool {
        let known = self.known_firmware.iter().find(|firmware| firmware.bcd.0 == bcd_device);
        known.is_some_and(|firmware| firmware.status == FirmwareStatus::Bad)
    }

    /// The rule for the slot of that name.
    #[must_use]
    pub fn slot_rule(&self, name: &str) -> Option<&SlotRule> {
        self.slots.iter().find(|rule| rule.fits(name))
    }

    /// What to send to the reader at that moment, verb after verb: each verb begins when the one before is over.
    #[must_use]
    pub fn signal(&self, moment: Moment) -> Vec<SignalStep> {
        let mut steps = Vec::new();
        let mut begin = Duration::ZERO;
        for verb in self.signals.at(moment) {
            let own = verb.steps(self.escape.family, self.escape.led_bits).unwrap_or_default();
            steps.extend(own.into_iter().map(|step| SignalStep { after: begin + step.after, ..step }));
            begin = steps.last().map_or(begin, |last| last.after);
        }
        steps
    }

    /// The peculiarity is noted.
    #[must_use]
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirk.flags.contains(&quirk)
    }

    /// Everything that one file can tell about itself; the key and the fault of the first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (String, Fault)> {
        let capability = &self.capability;
        let wrong = |key: &str, rule: Rule| Err((key.to_owned(), rule.into()));
        if self.matching.is_empty() && self.id.as_str() != super::GENERIC_READER {
            return wrong("match", Rule::ReaderMatchEmpty);
        }
        if !(1..=256).contains(&capability.max_le) {
            return wrong("capability.max_le", Rule::MaxLe);
        }
        if u32::from(capability.max_le) + 2 > capability.max_answer || capability.max_answer > 65_548 {
            return wrong("capability.max_answer", Rule::MaxAnswer);
        }
        if !(5..=65_548).contains(&capability.max_command) {
            return wrong("capability.max_command", Rule::MaxCommand);
        }
        if capability.pcsc && self.slots.is_empty() {
            return wrong("slot", Rule::SlotMissing);
        }
        if let Some(name) = self.timing.too_long() {
            return wrong(&format!("timing.{name}"), Rule::TimeTooLong);
        }
        let bits = self.escape.led_bits;
        if [bits.red, bits.green].into_iter().flatten().any(|bit| bit > 7) {
            return wrong("escape.led_bits", Rule::LedBit);
        }
        self.signals.check(self.escape.family, bits)?;
        for (key, text) in [("title", &self.title), ("vendor", &self.vendor), ("model", &self.model)] {
            check_title(key, text)?;
        }
        self.evidence.check()?;
        self.messages.check()?;
        let bad = self.known_firmware.iter().any(|firmware| firmware.status == FirmwareStatus::Bad);
        if bad && self.messages.in_language(Topic::Firmware, "de").is_none() {
            return wrong("known_firmware", Rule::BadFirmwareText);
        }
        self.check_samples()
    }

    fn check_samples(&self) -> Result<(), (String, Fault)> {
        let samples = &self.tests.names;
        for (key, count) in [("name", samples.len()), ("firmware_texts", self.tests.firmware_texts.len())] {
            if count > MAX_SAMPLES {
                return Err((format!("tests.{key}"), Rule::SampleCount.into()));
            }
        }
        for (index, name) in self.matching.names.iter().enumerate() {
            let fits =
                |sample: &SampleName| name.os.is_none_or(|os| os == sample.os) && name.regex.matches(&sample.name);
            if !samples.iter().any(fits) {
                return Err((format!("match.names.{}.regex", index + 1), self.without_sample(&name.regex)));
            }
        }
        for (index, rule) in self.slots.iter().enumerate() {
            let Some(regex) = &rule.name_regex else { continue };
            if !samples.iter().any(|sample| regex.matches(&sample.name)) {
                return Err((format!("slot.{}.name_regex", index + 1), self.without_sample(regex)));
            }
        }
        if let Some(regex) = &self.matching.firmware_text
            && !self.tests.firmware_texts.iter().any(|text| regex.matches(text))
        {
            return Err(("match.firmware_text".to_owned(), Rule::FirmwareTextWithoutSample.of([regex.as_str()])));
        }
        for (index, sample) in samples.iter().enumerate() {
            let role = self.slot_role(&sample.name);
            if role != sample.role {
                let fault = Rule::SampleRole.of([&sample.name, role.word(), sample.role.word()]);
                return Err((format!("tests.name.{}.role", index + 1), fault));
            }
        }
        for (index, atr) in self.tests.atrs.iter().enumerate() {
            if let Err(error) = super::atr::Atr::new(&atr.0).structure() {
                return Err((format!("tests.atrs.{}", index + 1), Rule::SampleAtrForm.with([error.part().into()])));
            }
        }
        Ok(())
    }

    fn without_sample(&self, regex: &Pattern) -> Fault {
        if self.tests.names.is_empty() {
            return Rule::NameWithoutSample.of([regex.as_str()]);
        }
        Rule::PatternWithoutSample.with([regex.as_str().into(), regex.hint()])
    }
}
