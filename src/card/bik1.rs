//! The education card's application BIK1 (card-application, 1): SELECT, READ, and the challenge.

use jiff::Timestamp;

use super::{
    Reading, Session,
    apdu::CommandApdu,
    credential::Kind,
    error::{CardError, Place, ProofFault, Step},
    exchange::{MAX_CARD_FAULTS, exchange, with_restarts},
    files,
    key::{PublicKey, Signature, SignatureFault},
    status::StatusWord,
    trust::Trust,
    verify::Presented,
};
use crate::{
    domain::{
        ids::Digest,
        reading::{Bik1Evidence, Identified, Level, Route},
    },
    ports::CardChannel,
    tlv::Tlv,
};

/// The application's name: an unregistered proprietary identifier, "BIKARTE", major version 1.
pub const AID: [u8; 9] = [0xF0, 0x42, 0x49, 0x4B, 0x41, 0x52, 0x54, 0x45, 0x01];
/// The name without its version; selecting by it works too.
pub const AID_PREFIX: [u8; 8] = [0xF0, 0x42, 0x49, 0x4B, 0x41, 0x52, 0x54, 0x45];
/// Short file identifier of EF.CRED.
pub const SFI_CREDENTIAL: u8 = 0x02;
/// Short file identifier of EF.CHAIN.
pub const SFI_CHAIN: u8 = 0x03;
/// Largest file.
pub const MAX_FILE: usize = 512;
/// Largest control information.
const MAX_CONTROL_INFORMATION: usize = 128;
/// Largest answer a card may offer.
const MAX_ANSWER: u16 = 0x00F0;
/// Version of the objects in the files.
const FILE_VERSION: u8 = 1;

/// What a card says about itself at SELECT (card-application, 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each feature bit of the specification")]
pub struct ControlInformation {
    /// Major and minor version.
    pub version: (u8, u8),
    /// The card can authenticate itself.
    pub authenticates: bool,
    /// EF.CHAIN is there.
    pub has_chain: bool,
    /// A phone.
    pub phone: bool,
    /// The holder chooses a child first.
    pub chooses_child: bool,
    /// P2 of INTERNAL AUTHENTICATE, 1 to 15.
    pub key_reference: u8,
    /// Largest useful Le, 1 to 240.
    pub max_answer: u8,
}

impl ControlInformation {
    /// Reads the answer to SELECT; unknown objects are skipped.
    ///
    /// # Errors
    /// [`CardError::Size`], [`CardError::Tlv`], [`CardError::Layout`], [`CardError::NotOurs`] if another application
    /// answered, [`CardError::Version`], [`CardError::CriticalFeature`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let place = Place::ControlInformation;
        let layout = CardError::Layout(place);
        if bytes.len() > MAX_CONTROL_INFORMATION {
            return Err(CardError::Size(place));
        }
        let template = Tlv::parse(bytes).map_err(|error| CardError::Tlv(place, error))?;
        if template.tag() != 0x6F {
            return Err(layout);
        }
        let name = template.child(0x84).ok_or(layout.clone())?.value();
        if name.len() < AID_PREFIX.len() || !name.starts_with(&AID_PREFIX) {
            return Err(CardError::NotOurs(StatusWord::Ok));
        }
        let proprietary = template.child(0xA5).ok_or(layout.clone())?;
        let two = |tag| -> Option<[u8; 2]> { proprietary.child(tag)?.value().try_into().ok() };
        let [major, minor] = two(0xDF20).ok_or(layout.clone())?;
        if name != AID || major != AID[8] {
            return Err(CardError::Version);
        }
        let [critical, features] = two(0xDF21).ok_or(layout.clone())?;
        if critical != 0 {
            return Err(CardError::CriticalFeature);
        }
        let Some(&[key_reference @ 0x01..=0x0F]) = proprietary.child(0xDF22).map(|object| object.value()) else {
            return Err(layout);
        };
        let max_answer = two(0xDF23).map(u16::from_be_bytes).filter(|le| (1..=MAX_ANSWER).contains(le));
        let max_answer = max_answer.and_then(|le| u8::try_from(le).ok()).ok_or(layout)?;
        Ok(Self {
            version: (major, minor),
            authenticates: features & 1 != 0,
            has_chain: features & 2 != 0,
            phone: features & 4 != 0,
            chooses_child: features & 8 != 0,
            key_reference,
            max_answer,
        })
    }

    const fn kind(self) -> Kind {
        if self.phone { Kind::Phone } else { Kind::Card }
    }
}

/// An identified card that waits for its challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bik1Session {
    control: ControlInformation,
    key: PublicKey,
    credential: Vec<u8>,
    chain: Option<Vec<u8>>,
    chunk: u8,
}

impl Bik1Session {
    /// SHA-256 of the credential: tells whether the same card came back.
    #[must_use]
    pub fn credential_digest(&self) -> Digest {
        super::key::sha256(&self.credential)
    }
}

/// SELECT, READ and steps 1 to 9. `max_le` is the largest Le the reader takes, 1 to 256; `now` is the time floor.
///
/// # Errors
/// [`CardError`]; [`CardError::NotOurs`] means that another kind of card may be tried.
pub fn identify(
    channel: &mut dyn CardChannel,
    max_le: u16,
    trust: &Trust,
    now: Timestamp,
) -> Result<Reading, CardError> {
    let mut seen = None;
    with_restarts(MAX_CARD_FAULTS, || identify_once(channel, max_le, trust, now, &mut seen))
}

fn identify_once(
    channel: &mut dyn CardChannel,
    max_le: u16,
    trust: &Trust,
    now: Timestamp,
    seen: &mut Option<Vec<u8>>,
) -> Result<Reading, CardError> {
    let control = select(channel)?;
    if !control.authenticates {
        // A chip that cannot prove itself is a copy; there is no lower level for it.
        return Err(CardError::NoAuthentication);
    }
    let chunk = control.max_answer.min(u8::try_from(max_le.max(1)).unwrap_or(u8::MAX));
    let credential = read_signed(channel, SFI_CREDENTIAL, chunk)?;
    if seen.get_or_insert_with(|| credential.clone()) != &credential {
        return Err(CardError::CardChanged);
    }
    let presented = Presented::credential(&credential)?;
    let (issuer, chain) = match presented.listed_issuer(trust)? {
        Some(issuer) => (issuer, None),
        None if control.has_chain => {
            let certificate = read_signed(channel, SFI_CHAIN, chunk)?;
            (presented.chained_issuer(trust, &certificate, now)?, Some(certificate))
        }
        None => return Err(CardError::UnknownIssuer),
    };
    let trust_list_seq = presented.account(trust)?.trust_list_seq();
    let claims = presented.verify(trust, &issuer, now, control.kind())?;
    let identified = Identified {
        identities: vec![claims.identity()],
        route: if control.phone { Route::Phone } else { Route::Chip },
        level: Level::PROVEN,
        must_authenticate: true,
        chain_only: issuer.chain_only,
        tag: None,
        profile: None,
        trust_list_seq,
    };
    let key = claims.key.expect("a `bik-crd` has a key");
    let session = Session::Bik1(Box::new(Bik1Session { control, key, credential, chain, chunk }));
    Ok(Reading { identified, session })
}

fn select(channel: &mut dyn CardChannel) -> Result<ControlInformation, CardError> {
    let (answer, status) = files::select(channel, &AID)?;
    match status {
        StatusWord::Ok => ControlInformation::parse(&answer),
        StatusWord::Deactivated => Err(CardError::Locked),
        StatusWord::ConditionsOfUse => Err(CardError::ChooseChild),
        StatusWord::NotFound
        | StatusWord::WrongParameters
        | StatusWord::UnknownInstruction
        | StatusWord::UnknownClass => Err(CardError::NotOurs(status)),
        status => Err(CardError::Refused { step: Step::Select, status }),
    }
}

/// Reads one of the two files and takes the COSE_Sign1 out of its template.
fn read_signed(channel: &mut dyn CardChannel, sfi: u8, chunk: u8) -> Result<Vec<u8>, CardError> {
    let place = if sfi == SFI_CREDENTIAL { Place::CredentialFile } else { Place::ChainFile };
    let file = files::read_object(channel, sfi, chunk, MAX_FILE, place)?;
    signed_object(&file, place)
}

/// Takes the COSE_Sign1 out of the content of EF.CRED or EF.CHAIN; other objects beside it are skipped.
///
/// # Errors
/// [`CardError::Tlv`], [`CardError::Layout`].
pub fn signed_object(file: &[u8], place: Place) -> Result<Vec<u8>, CardError> {
    let tag = if place == Place::ChainFile { 0xDF32 } else { 0xDF31 };
    let template = Tlv::parse(file).map_err(|error| CardError::Tlv(place, error))?;
    let version = template.child(0xDF30).map(|object| object.value());
    match template.child(tag) {
        Some(object) if template.tag() == 0x70 && version == Some(&[FILE_VERSION]) => Ok(object.value().to_vec()),
        _ => Err(CardError::Layout(place)),
    }
}

/// INTERNAL AUTHENTICATE and step 10. Repeats from SELECT on where that may help, but only with the same card.
///
/// # Errors
/// [`CardError`]; nothing may be booked by this route then.
pub(super) fn authenticate(
    channel: &mut dyn CardChannel,
    session: &Bik1Session,
    challenge: &[u8; 32],
) -> Result<Answer, CardError> {
    let mut first = true;
    with_restarts(MAX_CARD_FAULTS, || {
        if !std::mem::take(&mut first) {
            select(channel)?;
            if read_signed(channel, SFI_CREDENTIAL, session.chunk)? != session.credential {
                return Err(CardError::CardChanged);
            }
        }
        let command = CommandApdu::new(0x00, 0x88, 0x00, session.control.key_reference).data(challenge).le(256);
        let answer = exchange(channel, &command)?;
        if answer.status != StatusWord::Ok {
            return Err(CardError::Refused { step: Step::Authenticate, status: answer.status });
        }
        let answer = Answer::parse(&answer.data)?;
        answer.verify(&session.key, challenge)?;
        Ok(answer)
    })
}

/// What a card answers to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The card's nonce.
    pub card_nonce: [u8; 8],
    /// Its signature counter.
    pub counter: u32,
    /// DER as it came.
    pub signature: Vec<u8>,
}

impl Answer {
    /// Reads `7C { 81 nonce, 82 counter, 9E signature }`, exactly these.
    ///
    /// # Errors
    /// [`CardError::Tlv`], [`CardError::Proof`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let layout = CardError::Proof(ProofFault::Layout);
        let template = Tlv::parse(bytes).map_err(|_| layout.clone())?;
        let value = |tag| template.child(tag).map(|object| object.value());
        if template.tag() != 0x7C || !template.children().map(|object| object.tag()).eq([0x81, 0x82, 0x9E]) {
            return Err(layout);
        }
        let card_nonce = value(0x81).and_then(|nonce| nonce.try_into().ok()).ok_or(layout.clone())?;
        let counter = value(0x82).and_then(|counter| counter.try_into().ok()).ok_or(layout.clone())?;
        let signature = value(0x9E).ok_or(layout)?.to_vec();
        Ok(Self { card_nonce, counter: u32::from_be_bytes(counter), signature })
    }

    /// Step 10: canonical DER, r and s in range, signed by this key over this challenge.
    ///
    /// # Errors
    /// [`CardError::Proof`].
    pub fn verify(&self, key: &PublicKey, challenge: &[u8; 32]) -> Result<(), CardError> {
        let signature = Signature::from_der(&self.signature).map_err(|fault| {
            CardError::Proof(match fault {
                SignatureFault::Form => ProofFault::NotCanonical,
                SignatureFault::Range => ProofFault::Range,
            })
        })?;
        if key.verifies(&signed_message(&self.card_nonce, self.counter, challenge), &signature) {
            Ok(())
        } else {
            Err(CardError::Proof(ProofFault::Signature))
        }
    }
}

/// The 58 bytes a card signs (card-application, 1.4).
#[must_use]
pub fn signed_message(card_nonce: &[u8; 8], counter: u32, challenge: &[u8; 32]) -> Vec<u8> {
    [b"BIK1\0".as_slice(), &AID, card_nonce, &counter.to_be_bytes(), challenge].concat()
}

impl Bik1Session {
    pub(super) fn evidence(&self, answer: Answer, nonce: [u8; 32], beacon: [u8; 16]) -> Bik1Evidence {
        Bik1Evidence {
            credential: self.credential.clone(),
            chain: self.chain.clone(),
            nonce,
            beacon,
            card_nonce: answer.card_nonce,
            counter: answer.counter,
            signature: answer.signature,
        }
    }
}
