//! What can be told of a delivery before anything is judged: whose bytes these are, what was sealed in them, and what the
//! evidence proves. Nearly all of the account's work on a record is here, and it needs the store for a few look-ups only,
//! each made once a delivery. So it is done before the transaction that judges, and on all processors.

use std::{
    collections::BTreeMap,
    num::NonZero,
    panic::resume_unwind,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use jiff::Timestamp;

use super::{
    Account, AccountError,
    judge::{self, Proven},
    store::{StoreError, Terminal},
};
use crate::{
    card::Trust,
    domain::{
        ids::{Digest, TerminalId},
        reading::Evidence,
        record::Frozen,
    },
    protocol::{
        jws::{JwsError, Kid, PublicKey, sha256},
        problem::{Problem, Reason},
        record::{self, Claim, RecordError, SignedFact, SignedPart},
    },
};

/// Fewer records than this are not worth a thread: they take a few milliseconds.
const SHARE: usize = 16;

/// A record as it was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Signed part.
    pub jws: String,
    /// Sealed part, `enc ‖ ciphertext`; empty for types without one.
    pub sealed: Vec<u8>,
    /// Of a refiled record, the JWS it had under its old identity.
    pub original_jws: Option<String>,
}

/// A record whose signature held, with what its evidence proves.
#[derive(Debug)]
pub struct Inspected {
    pub(super) part: SignedPart,
    pub(super) frozen: Frozen,
    pub(super) original: Option<Original>,
    /// Of the claim that the record, or its original, makes; nobody asks where there is none.
    pub(super) examined: Examined,
}

/// What a refiled record was under the identity that made it.
#[derive(Debug)]
pub(super) struct Original {
    pub part: SignedPart,
    pub digest: Digest,
    pub jws: String,
}

/// What evidence proves, or the reason why it proves nothing.
pub(super) type Examined = Result<Shown, Reason>;

/// Evidence that holds.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub proven: Proven,
    /// The instant for which things must be valid: the tap, but not before the beacon it names.
    pub at: Timestamp,
}

/// Inspects a delivery by one terminal. Not to be called inside a transaction: it asks the store by itself.
///
/// # Errors
/// [`Problem::RecordInvalid`] if one does not verify: then none is to be judged, and the terminal finds it by halving.
pub fn inspect(account: &Account, terminal: &Terminal, posted: &[Posted]) -> Result<Vec<Inspected>, AccountError> {
    let trust = account.write(|tx| account.trust(tx))?;
    let (keys, beacons) = (Mutex::default(), Mutex::default());
    Inspection { account, terminal, trust, keys, beacons }.all(posted)
}

/// Everything a delivery is inspected by, with what was looked up for it.
struct Inspection<'a> {
    account: &'a Account,
    terminal: &'a Terminal,
    trust: Trust,
    /// Keys that were ever certified, and for whom.
    keys: Mutex<BTreeMap<Kid, Option<(TerminalId, PublicKey)>>>,
    /// When beacons were issued.
    beacons: Mutex<BTreeMap<[u8; 16], Option<Timestamp>>>,
}

fn lock<T>(found: &Mutex<T>) -> MutexGuard<'_, T> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(what: &str) -> AccountError {
    AccountError::problem(Problem::RecordInvalid, what)
}

impl Inspection<'_> {
    /// All of them, shared among the processors; the first error in their order.
    fn all(&self, posted: &[Posted]) -> Result<Vec<Inspected>, AccountError> {
        if posted.len() < 2 * SHARE {
            return self.in_turn(posted);
        }
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let share = posted.len().div_ceil(processors).max(SHARE);
        let (own, others) = posted.split_at(share.min(posted.len()));
        thread::scope(|scope| {
            let others: Vec<_> = others
                .chunks(share)
                .map(|records| {
                    let work = || self.in_turn(records);
                    (records, thread::Builder::new().name("inspection".to_owned()).spawn_scoped(scope, work))
                })
                .collect();
            let mut inspected = self.in_turn(own)?;
            for (records, other) in others {
                inspected.extend(match other {
                    Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                    // The system gives no thread now: then it is done here.
                    Err(_) => self.in_turn(records)?,
                });
            }
            Ok(inspected)
        })
    }

    fn in_turn(&self, posted: &[Posted]) -> Result<Vec<Inspected>, AccountError> {
        posted.iter().map(|posted| self.one(posted)).collect()
    }

    /// Signature, key and place: whether these bytes are a record of this terminal at all. Then the evidence.
    fn one(&self, posted: &Posted) -> Result<Inspected, AccountError> {
        let (part, digest, signer) = self.signed(&posted.jws)?;
        if signer != self.terminal.id || part.terminal != self.terminal.id {
            return Err(invalid("another terminal's record"));
        }
        let sealed = (!posted.sealed.is_empty()).then(|| sha256(&posted.sealed));
        if posted.sealed.len() > record::MAX_SEALED_LEN || part.sealed != sealed {
            return Err(invalid(RecordError::SealedDigest.code()));
        }
        let original = match (&part.fact, &posted.original_jws) {
            (SignedFact::Refiled { original }, Some(jws)) => Some(self.original(&part, *original, jws)?),
            (SignedFact::Refiled { .. }, None) => return Err(invalid("a refiled record without its original")),
            (_, Some(_)) => return Err(invalid("only a refiled record has an original")),
            (_, None) => None,
        };
        let claimed = original.as_ref().map_or(&part, |original| &original.part);
        let examined = match &claimed.fact {
            SignedFact::Redemption(claim) | SignedFact::NoShow(claim) => {
                self.examine(claimed, claim, &posted.sealed)?
            }
            _ => Err(Reason::SealedInvalid),
        };
        let frozen = Frozen { jws: posted.jws.clone(), sealed: posted.sealed.clone(), digest };
        Ok(Inspected { part, frozen, original, examined })
    }

    /// What a key that was ever certified has signed, and for which terminal.
    fn signed(&self, jws: &str) -> Result<(SignedPart, Digest, TerminalId), AccountError> {
        let (mut failed, mut signer) = (None, None);
        let checked = record::verify(jws, |kid| match self.key(kid) {
            Ok(Some((terminal, key))) => {
                signer = Some(terminal);
                Ok(key)
            }
            Ok(None) => Err(JwsError::Key),
            Err(error) => {
                failed = Some(error);
                Err(JwsError::Key)
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let verified = checked.map_err(|error| invalid(error.code()))?;
        let signer = signer.ok_or_else(|| invalid(JwsError::Key.code()))?;
        Ok((verified.part, verified.digest, signer))
    }

    /// The original of a refiled record: signed by a key of the terminal it names, which was of the same provider, and the
    /// sealed part that came along is its own.
    fn original(&self, part: &SignedPart, named: Digest, jws: &str) -> Result<Original, AccountError> {
        let (original, digest, signer) = self.signed(jws)?;
        let owner = self.account.write(|tx| tx.terminal(&signer))?;
        let fits = digest == named
            && original.terminal == signer
            && original.account == self.account.id
            && original.sealed == part.sealed
            && owner.is_some_and(|owner| owner.provider == self.terminal.provider)
            && !matches!(original.fact, SignedFact::Refiled { .. });
        if fits {
            Ok(Original { part: original, digest, jws: jws.to_owned() })
        } else {
            Err(invalid("the original is another record"))
        }
    }

    /// Opens the sealed part and finds out what it proves.
    fn examine(&self, part: &SignedPart, claim: &Claim, sealed: &[u8]) -> Result<Examined, StoreError> {
        let secrets = &self.account.secrets;
        let opened = record::open(part, sealed, &secrets.opening);
        let Some(sealed) = opened.ok().flatten() else { return Ok(Err(Reason::SealedInvalid)) };
        let mut at = part.tapped_at;
        if let Evidence::Bik1(shown) = &sealed.evidence
            && let Some(issued_at) = self.beacon(&shown.beacon)?
        {
            at = at.max(issued_at);
        }
        let proven = judge::examine(part, claim, &sealed, &self.trust, &secrets.sun, at);
        Ok(proven.map(|proven| Shown { proven, at }))
    }

    fn key(&self, kid: Kid) -> Result<Option<(TerminalId, PublicKey)>, StoreError> {
        let mut keys = lock(&self.keys);
        if let Some(known) = keys.get(&kid) {
            return Ok(known.clone());
        }
        let found = self.account.write(|tx| tx.certified_key(kid))?;
        let found = found.map(|(terminal, certified)| (terminal, certified.key));
        keys.insert(kid, found.clone());
        Ok(found)
    }

    fn beacon(&self, beacon: &[u8; 16]) -> Result<Option<Timestamp>, StoreError> {
        let mut beacons = lock(&self.beacons);
        if let Some(known) = beacons.get(beacon) {
            return Ok(*known);
        }
        let found = self.account.write(|tx| tx.beacon(beacon))?.map(|beacon| beacon.issued_at);
        beacons.insert(*beacon, found);
        Ok(found)
    }
}
