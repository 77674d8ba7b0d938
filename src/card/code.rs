//! Printed and app codes (card-application, 2): from what a scanner typed to who it says it is.
//!
//! Nothing a scanner sends is ever opened, followed or typed anywhere else: it is one of our codes, or it is refused.

use data_encoding::BASE32HEX_NOPAD;
use jiff::Timestamp;

use super::{
    error::{CardError, CodeFault, Place},
    evidence::{self, CODE_SKEW},
    trust::{AccountTrust, Trust},
    verify::after,
};
use crate::{
    cbor::Value,
    domain::{
        ids::{CardNumber, Identity, IdentityKind},
        number::{self, NumberError},
        reading::{Evidence, Identified, Level, Route, ScannerTest},
    },
};

/// Longest text that is looked at. An app code of two full-sized objects has some 1,660 characters.
pub const MAX_TEXT: usize = 2048;
/// The scanner's self-test: shows at once whether its keyboard layout is wrong.
pub const SELF_TEST: &str = "BIKT10123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Version of the app code's array.
const CODE_VERSION: u64 = 1;

/// What a code said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Who.
    pub identified: Identified,
    /// The proof.
    pub evidence: Evidence,
    /// What the terminal must remember, so that the same code does not count twice; app codes only.
    pub replay: Option<ReplayMark>,
}

/// One app code that was used.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReplayMark {
    /// The card's identity.
    pub cti: [u8; 16],
    /// The proof's own id.
    pub jti: [u8; 8],
    /// The mark may be forgotten from this instant on: the code is past its end and skew then.
    pub until: Timestamp,
}

impl std::fmt::Debug for ReplayMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReplayMark(**** until {})", self.until)
    }
}

/// Reads what was scanned. `challenge` is the six digits that this terminal shows just now, `now` the time floor.
///
/// # Errors
/// [`CardError`].
pub fn decode(text: &str, trust: &Trust, now: Timestamp, challenge: Option<&str>) -> Result<Decoded, CardError> {
    let folded = fold(text)?;
    match folded.split_at_checked(5) {
        Some(("BIKN1", digits)) => numbered(digits, trust, Route::Code),
        Some(("BIKS1", body)) => printed(&transported(body)?, trust, now),
        Some(("BIKD1", body)) => fresh(&transported(body)?, trust, now, challenge),
        Some(("BIKT1", _)) => Err(CardError::NotOurCode(CodeFault::SelfTest)),
        _ if folded.bytes().all(|byte| byte.is_ascii_digit()) => numbered(&folded, trust, Route::Number),
        _ => Err(CardError::NotOurCode(CodeFault::Foreign)),
    }
}

/// What the scanner's self-test code came out as, if the text is meant to be it. Only its first letters must be right: a
/// French layout has its digits elsewhere.
#[must_use]
pub fn self_test(text: &str) -> Option<ScannerTest> {
    let folded = fold(text).ok()?;
    let swapped = |c| match c {
        'Y' => 'Z',
        'Z' => 'Y',
        c => c,
    };
    let alike = folded.starts_with("BIKT") && folded.chars().count().abs_diff(SELF_TEST.len()) <= SELF_TEST.len() / 4;
    if folded == SELF_TEST {
        Some(ScannerTest::Good)
    } else if folded.chars().map(swapped).eq(SELF_TEST.chars()) {
        Some(ScannerTest::SwappedYz)
    } else if alike || folded.starts_with("BIKT1") {
        Some(ScannerTest::Garbled)
    } else {
        None
    }
}

/// What scanners add around a code is taken away, and what Caps Lock did to it.
fn fold(text: &str) -> Result<String, CardError> {
    if text.len() > MAX_TEXT {
        return Err(CardError::NotOurCode(CodeFault::TooLong));
    }
    let core = text.trim_matches(|c: char| c.is_ascii_control() || c == ' ');
    // AIM identifier of the symbology: `]Q1` and the like.
    let core = match core.as_bytes() {
        [b']', letter, modifier, ..] if letter.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric() => &core[3..],
        _ => core,
    };
    let folded: String = core.chars().filter(|c| !matches!(c, '\r' | '\n' | '\t' | ' ')).collect();
    if folded.is_empty() {
        return Err(CardError::NotOurCode(CodeFault::Empty));
    }
    Ok(folded.to_ascii_uppercase())
}

/// base32hex without padding; bits left over at the end must be zero, so that a code has one spelling.
fn transported(body: &str) -> Result<Vec<u8>, CardError> {
    BASE32HEX_NOPAD.decode(body.as_bytes()).map_err(|_| CardError::NotOurCode(CodeFault::Alphabet))
}

/// An unsigned number: seen, not proven.
fn numbered(digits: &str, trust: &Trust, route: Route) -> Result<Decoded, CardError> {
    let number = match number::read(digits) {
        Ok(number) => number,
        // A foreign bar code of the right length is no typing error, one that begins like ours is.
        Err(NumberError::CheckDigits) if route == Route::Code || begins_like_ours(digits, trust) => {
            return Err(CardError::CheckDigits);
        }
        Err(_) => return Err(CardError::NotOurCode(CodeFault::Foreign)),
    };
    let identities = identities(&number, trust);
    if identities.is_empty() {
        return Err(CardError::NotOurCode(CodeFault::UnknownNumber));
    }
    let identified = Identified {
        identities,
        route,
        level: Level::SEEN,
        must_authenticate: false,
        chain_only: false,
        tag: Some(number.tag()),
        profile: None,
        trust_list_seq: 0,
    };
    Ok(Decoded { identified, evidence: Evidence::None, replay: None })
}

fn identities(number: &CardNumber, trust: &Trust) -> Vec<Identity> {
    let districts = trust.accounts().iter().flat_map(|account| number::districts(number, account.descriptor()));
    let identity =
        |district| Identity { district, kind: IdentityKind::Number, bytes: number.reveal().as_bytes().to_vec() };
    districts.map(identity).collect()
}

fn begins_like_ours(digits: &str, trust: &Trust) -> bool {
    let number = &digits[..digits.len().saturating_sub(2)];
    CardNumber::new(number).is_some_and(|number| !identities(&number, trust).is_empty())
}

/// `BIKS1`: a `bik-sta`.
fn printed(credential: &[u8], trust: &Trust, now: Timestamp) -> Result<Decoded, CardError> {
    let print = evidence::verify_static(credential, trust, now)?;
    Ok(Decoded {
        identified: signed(print.identity, Level::SIGNED, trust),
        evidence: Evidence::Bik1Static { credential: credential.to_vec() },
        replay: None,
    })
}

/// `BIKD1`: `[1, credential, proof]`.
fn fresh(bytes: &[u8], trust: &Trust, now: Timestamp, challenge: Option<&str>) -> Result<Decoded, CardError> {
    let place = Place::CodeArray;
    let array = Value::decode(bytes).map_err(|error| CardError::Cbor(place, error))?;
    let Some([Value::Unsigned(CODE_VERSION), Value::Bytes(credential), Value::Bytes(proof)]) = array.as_array() else {
        return Err(CardError::Layout(place));
    };
    let code = evidence::verify_code(credential, proof, trust, now)?;
    // An unbound code counts for less; one bound to something else does not count at all.
    let terminal = trust.serving(&code.identity.district).and_then(AccountTrust::terminal);
    let bound = match (terminal, challenge) {
        _ if code.audience.is_none() => None,
        (Some(terminal), Some(shown)) if code.is_bound_to(terminal, shown) => Some(shown.to_owned()),
        _ => return Err(CardError::CodeChallenge),
    };
    let level = if bound.is_some() { Level::PROVEN } else { Level::SIGNED };
    let replay = ReplayMark { cti: code.cti, jti: code.token, until: after(code.expires, CODE_SKEW) };
    Ok(Decoded {
        identified: signed(code.identity, level, trust),
        evidence: Evidence::Bik1Code { credential: credential.clone(), proof: proof.clone(), challenge: bound },
        replay: Some(replay),
    })
}

fn signed(identity: Identity, level: Level, trust: &Trust) -> Identified {
    let trust_list_seq = trust.serving(&identity.district).map_or(0, AccountTrust::trust_list_seq);
    Identified {
        identities: vec![identity],
        route: Route::Code,
        level,
        must_authenticate: false,
        chain_only: false,
        tag: None,
        profile: None,
        trust_list_seq,
    }
}
