//! Which of the profiles fits the card, and who the card then says it is.

use jiff::Timestamp;

use super::{
    Reading, Session, bik1, desfire,
    error::{CardError, Place},
    exchange::with_restarts,
    files, ndef,
    status::StatusWord,
    steps::{self, Bounds},
    storage,
    trust::Trust,
};
use crate::{
    domain::{
        ids::{CardNumber, Identity, IdentityKind, Tag},
        number::{self, NumberError},
        reading::{Identified, Level, Route},
    },
    ports::{CardChannel, ChannelError},
    profile::{
        Action, Atr, CardProfile, Identify, Method, NdefRecord, NumberCheck, ProfileCatalog, ReaderProfile, Select,
        SunParameters, UidMatch, UidOrder, query_parameter, uid_text,
    },
};

const LAYOUT: CardError = CardError::Layout(Place::OtherData);

/// Probes the profiles in their order and reads the identity by the first that fits. `candidates` are what the catalogue
/// gave for the ATR, `now` is the time floor. A profile that rejects ends the search, and nothing is sent because of it.
///
/// # Errors
/// [`CardError`]; [`CardError::NotOurs`] if none fits, [`CardError::RandomUid`] if all that spoke against one was a UID
/// drawn anew.
pub fn identify(
    channel: &mut dyn CardChannel,
    reader: &ReaderProfile,
    atr: &Atr,
    candidates: &[&CardProfile],
    trust: &Trust,
    now: Timestamp,
) -> Result<Reading, CardError> {
    let mut probe = Probe { channel, reader, atr, uid: Uid::NotAsked };
    let mut refusal = CardError::NotOurs(StatusWord::NotFound);
    let mut asked_for_bik1 = false;
    for profile in candidates {
        let method = match (&profile.action, &profile.identify) {
            (Action::Reject { class }, _) => return Err(CardError::Rejected(class.failure())),
            (Action::Identify {}, Some(method)) => method,
            (Action::Identify {}, None) => continue,
        };
        let attempt = match method.method {
            // Card and phone answer to one name: one dialogue serves all profiles of the method.
            Method::Bik1 if std::mem::replace(&mut asked_for_bik1, true) => continue,
            Method::Bik1 => bik1::identify(probe.channel, reader.capability.max_le, trust, now)
                .and_then(|reading| fitting(reading, candidates)),
            _ => with_restarts(profile.limits.retries, || probe.read(profile, method, trust))
                .map(|reading| (reading, *profile)),
        };
        match attempt {
            Ok((mut reading, profile)) => {
                reading.identified.level = reading.identified.level.min(profile.max_level());
                reading.identified.profile = Some(ProfileCatalog::digest(reader, profile));
                return Ok(reading);
            }
            Err(CardError::NotOurs(_)) => {}
            Err(CardError::RandomUid) => refusal = CardError::RandomUid,
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

/// The profile that is for such a card of such a district.
fn fitting<'p>(reading: Reading, candidates: &[&'p CardProfile]) -> Result<(Reading, &'p CardProfile), CardError> {
    let phone = reading.identified.route == Route::Phone;
    let fits = |profile: &&&CardProfile| {
        let player = profile.matching.select.as_ref().and_then(|select| select.phone);
        let method = profile.identify.as_ref().map(|identify| identify.method);
        method == Some(Method::Bik1)
            && player.is_none_or(|player| player == phone)
            && profile.permits(reading.identified.district())
    };
    match candidates.iter().find(fits) {
        Some(profile) => Ok((reading, profile)),
        None => Err(CardError::NotOurs(StatusWord::Ok)),
    }
}

/// One card on one reader, and what was learnt of it on the way.
struct Probe<'a> {
    channel: &'a mut dyn CardChannel,
    reader: &'a ReaderProfile,
    atr: &'a Atr,
    uid: Uid,
}

/// What is known of the UID.
enum Uid {
    NotAsked,
    NotTold,
    Told(Vec<u8>),
}

impl Probe<'_> {
    /// The UID in the order of its standard; asked for once.
    fn uid(&mut self) -> Result<Option<&[u8]>, CardError> {
        if matches!(self.uid, Uid::NotAsked) {
            let told = if self.reader.capability.uid { self.fresh_uid()? } else { None };
            self.uid = told.map_or(Uid::NotTold, Uid::Told);
        }
        Ok(if let Uid::Told(uid) = &self.uid { Some(uid) } else { None })
    }

    fn fresh_uid(&mut self) -> Result<Option<Vec<u8>>, CardError> {
        // SS 09 to 0C of a storage ATR: ISO 15693 (PC/SC part 3, supplement).
        let vicinity = self.atr.storage_card().is_some_and(|card| (0x09..=0x0C).contains(&card.standard));
        let orders = self.reader.capability.uid_order;
        let order = if vicinity { orders.iso15693 } else { orders.iso14443 };
        let mut uid = storage::uid(self.channel)?;
        if let (Some(uid), UidOrder::Reversed) = (&mut uid, order) {
            uid.reverse();
        }
        Ok(uid)
    }

    fn read(&mut self, profile: &CardProfile, identify: &Identify, trust: &Trust) -> Result<Reading, CardError> {
        let reading = self.read_once(profile, identify, trust);
        if reading == Err(CardError::Channel(ChannelError::Reset)) {
            // Whoever reset the card may have waited for another one.
            self.uid = Uid::NotAsked;
        }
        reading
    }

    fn read_once(&mut self, profile: &CardProfile, identify: &Identify, trust: &Trust) -> Result<Reading, CardError> {
        if let Some(wanted) = &profile.matching.uid {
            self.expect_uid(wanted)?;
        }
        if let Some(select) = &profile.matching.select {
            self.expect_application(select)?;
        }
        if let Some(wanted) = &profile.matching.get_version
            && !desfire::version(self.channel)?.starts_with(&wanted.prefix.0)
        {
            return Err(CardError::NotOurs(StatusWord::Ok));
        }
        let (text, check, session) = match identify.method {
            Method::Uid => {
                let uid = self.uid()?.ok_or(CardError::NotOurs(StatusWord::NotFound))?;
                (uid_text(&identify.uid_transform, uid), identify.number_check, Session::Unsigned)
            }
            Method::StorageRead | Method::FileRead | Method::DesfireRead => {
                (self.read_steps(profile, identify)?, identify.number_check, Session::Unsigned)
            }
            Method::Ndef => {
                let number = identify.ndef.as_ref().ok_or(LAYOUT)?;
                let text = self.read_text(number.record)?;
                let found = number.find(&text).ok_or(CardError::NotOurs(StatusWord::Ok))?;
                (found.to_owned(), identify.number_check, Session::Unsigned)
            }
            Method::Ntag424Sun => {
                let parameters = identify.sun.as_ref().ok_or(LAYOUT)?;
                let (number, session) = self.read_message(parameters)?;
                // What names the card in the message is a printed number, whichever check it has.
                let check = match identify.number_check {
                    NumberCheck::None => NumberCheck::District,
                    check => check,
                };
                (number, check, session)
            }
            Method::Bik1 => return Err(LAYOUT),
        };
        let (identities, tag) = identities(&text, check, profile, trust)?;
        let must_authenticate = session != Session::Unsigned;
        let level = if must_authenticate { Level::SYMMETRIC } else { Level::SEEN };
        let identified = Identified {
            identities,
            route: identify.method.route(profile.is_phone()),
            level,
            must_authenticate,
            chain_only: false,
            tag,
            profile: None,
            trust_list_seq: 0,
        };
        Ok(Reading { identified, session })
    }

    fn expect_uid(&mut self, wanted: &UidMatch) -> Result<(), CardError> {
        let Some(uid) = self.uid()? else { return Err(CardError::NotOurs(StatusWord::NotFound)) };
        if storage::is_random(uid) {
            return Err(CardError::RandomUid);
        }
        let fits = wanted.lengths.iter().any(|length| usize::from(*length) == uid.len());
        if fits { Ok(()) } else { Err(CardError::NotOurs(StatusWord::NotFound)) }
    }

    fn expect_application(&mut self, select: &Select) -> Result<(), CardError> {
        let (_, status) = files::select(self.channel, select.aid.bytes())?;
        let is_in = |list: &[crate::profile::StatusWord]| list.iter().any(|word| word.0 == u16::from(status));
        if is_in(&select.ok_sw) {
            Ok(())
        } else if is_in(&select.busy_sw) {
            Err(CardError::ChooseChild)
        } else if is_in(&select.locked_sw) {
            Err(CardError::Locked)
        } else {
            Err(CardError::NotOurs(status))
        }
    }

    fn read_steps(&mut self, profile: &CardProfile, identify: &Identify) -> Result<String, CardError> {
        if identify.method == Method::StorageRead && !self.reader.capability.storage_apdus {
            return Err(CardError::NotOurs(StatusWord::NotFound));
        }
        let bounds = Bounds {
            max_le: self.reader.capability.max_le,
            max_answer: usize::try_from(profile.limits.max_answer).unwrap_or(usize::MAX),
        };
        let selected = profile.matching.select.as_ref().map(|select| select.aid.bytes());
        let brought = steps::run(self.channel, &identify.steps, bounds, selected)?;
        // Where a UID was part of recognising the card, it must still be the same card.
        let now = if let Uid::Told(_) = self.uid { self.fresh_uid()? } else { None };
        if matches!(&self.uid, Uid::Told(before) if now.as_ref() != Some(before)) {
            return Err(CardError::CardChanged);
        }
        steps::extract(&brought, identify.extract.as_ref().ok_or(LAYOUT)?)
    }

    /// The text of the tag's only record of this kind. Any tag may hold any message; one of another form is somebody
    /// else's, and the next profile may try.
    fn read_text(&mut self, record: NdefRecord) -> Result<String, CardError> {
        let foreign = |_| CardError::NotOurs(StatusWord::Ok);
        let message = match ndef::read_message(self.channel, self.reader.capability.max_le) {
            Err(error) if error.failure().try_again() && !matches!(error, CardError::Refused { .. }) => {
                return Err(error);
            }
            message => message.map_err(foreign)?,
        };
        ndef::text(&message, record).map_err(foreign)
    }

    /// The number in clear, and the part that only the account can check.
    fn read_message(&mut self, parameters: &SunParameters) -> Result<(String, Session), CardError> {
        let foreign = CardError::NotOurs(StatusWord::Ok);
        let number = parameters.number.as_ref().ok_or(foreign.clone())?;
        let uri = self.read_text(NdefRecord::Uri)?;
        let value = |name: &str| query_parameter(&uri, name);
        let bytes = |name: &str| data_encoding::HEXUPPER_PERMISSIVE.decode(value(name)?.as_bytes()).ok();
        let picc_data = bytes(&parameters.picc_data).and_then(|bytes| bytes.try_into().ok());
        let cmac = bytes(&parameters.cmac).and_then(|bytes| bytes.try_into().ok());
        match (value(number), picc_data, cmac) {
            (Some(number), Some(picc_data), Some(cmac)) => Ok((number.to_owned(), Session::Sun { picc_data, cmac })),
            _ => Err(foreign),
        }
    }
}

/// Every district and identity the text may stand for, within what the profile and the accounts allow.
fn identities(
    text: &str,
    check: NumberCheck,
    profile: &CardProfile,
    trust: &Trust,
) -> Result<(Vec<Identity>, Option<Tag>), CardError> {
    let served = trust.accounts().iter().flat_map(|account| &account.descriptor().districts);
    let number = match check {
        NumberCheck::None => None,
        check => Some(check.number(text).map_err(|error| match error {
            NumberError::CheckDigits => CardError::CheckDigits,
            NumberError::Form => LAYOUT,
        })?),
    };
    let identities: Vec<Identity> = match &number {
        None => served
            .filter(|district| profile.permits(district))
            .map(|district| Identity {
                district: district.clone(),
                kind: IdentityKind::Uid,
                bytes: text.as_bytes().to_vec(),
            })
            .collect(),
        Some(number) => {
            let accounts = trust.accounts().iter();
            let districts = accounts.flat_map(|account| number::districts(number, account.descriptor()));
            let bytes = number.reveal().as_bytes();
            districts
                .filter(|district| profile.permits(district))
                .map(|district| Identity { district, kind: IdentityKind::Number, bytes: bytes.to_vec() })
                .collect()
        }
    };
    if identities.is_empty() {
        return Err(CardError::UnknownDistrict);
    }
    Ok((identities, number.as_ref().map(CardNumber::tag)))
}
