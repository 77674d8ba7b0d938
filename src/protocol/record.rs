//! Records: frozen by the terminal, verified and opened by the account (protocol, 4).

use thiserror::Error;

use super::{
    json::{self, JsonError},
    jws::{self, JwsError, Kid, PublicKey, SigningKey, Typ, sha256},
    seal::{OpeningKey, SealError, SealingKey},
    sealed_part,
};
pub use super::{
    sealed_part::{SealedPart, SealedPartError},
    signed_part::{Claim, SignedClock, SignedFact, SignedPart, Total, is_event},
};
use crate::domain::{
    ids::Digest,
    record::{Draft, Enrolment, Fact, Frozen, Record},
};

/// Longest JWS of a record.
pub const MAX_JWS_LEN: usize = 16 * 1024;
/// Longest sealed part, `enc ‖ ciphertext`.
pub const MAX_SEALED_LEN: usize = sealed_part::MAX_LEN + 81;

/// Why a record could not be frozen. Nothing was promised yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FreezeError {
    /// The record is owed to another account than the enrolment's.
    #[error("the record belongs to another account")]
    Account,
    /// An event's name or a typed factor is longer than the account takes, or holds control characters.
    #[error("a typed text is not acceptable")]
    Text,
    /// The sealed part would be longer than the account takes.
    #[error("the evidence is too large")]
    Evidence,
    /// The provider could not seal.
    #[error("the record could not be sealed")]
    Seal(#[from] SealError),
}

/// Why the account does not take a record. [`RecordError::code`] tells the terminal's log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The signed part.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The bytes beside the JWS are not those it names, or one of both is missing.
    #[error("the sealed part is not the one that was signed")]
    SealedDigest,
    /// The sealed part does not open under these ids.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The opened part is malformed.
    #[error(transparent)]
    SealedPart(#[from] SealedPartError),
}

impl RecordError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::SealedDigest => "sealed_digest",
            Self::Seal(_) => "sealed_not_open",
            Self::SealedPart(_) => "sealed_malformed",
        }
    }
}

/// `prev` of a terminal's first record: SHA-256 of its first certificate's DER.
#[must_use]
pub fn chain_start(certificate_der: &[u8]) -> Digest {
    sha256(certificate_der)
}

/// Gives a record its place in the chain: seals, signs, digests. Called once per record, inside the committing
/// transaction; the bytes are never made again. A refiled record names its original by its digest and keeps its sealed
/// part as it was: it opens under the old ids, and the old JWS travels beside it (protocol, 4, `conflict`).
///
/// # Errors
/// [`FreezeError`].
pub fn freeze(
    record: &Record,
    enrolment: &Enrolment,
    seq: u64,
    prev: Digest,
    key: &SigningKey,
    sealing: &SealingKey,
) -> Result<Frozen, FreezeError> {
    if record.account != enrolment.account {
        return Err(FreezeError::Account);
    }
    let sealed = match (&record.fact, sealed_part_of(&record.fact)) {
        (Fact::Refiled { frozen, .. }, _) => frozen.sealed.clone(),
        (_, Some(part)) => {
            if part.second_factor.as_ref().is_some_and(|text| text.len() > sealed_part::MAX_TEXT_LEN) {
                return Err(FreezeError::Text);
            }
            let plaintext = part.encode();
            if plaintext.len() > sealed_part::MAX_LEN {
                return Err(FreezeError::Evidence);
            }
            sealing.seal(&record.account, record.id, &plaintext)?
        }
        (_, None) => Vec::new(),
    };
    let digest = (!sealed.is_empty()).then(|| sha256(&sealed));
    let part = signed_part_of(record, enrolment, seq, prev, digest);
    if let SignedFact::Redemption(Claim { quantity: crate::domain::amount::Quantity::Amount { event }, .. }) =
        &part.fact
        && !is_event(event)
    {
        return Err(FreezeError::Text);
    }
    Ok(sign(&part, sealed, key))
}

/// Signs a signed part as it stands. [`freeze`] is the terminal's way; this serves tests and vectors.
#[must_use]
pub fn sign(part: &SignedPart, sealed: Vec<u8>, key: &SigningKey) -> Frozen {
    let (jws, digest) = jws::sign_with_digest(key, Typ::Record, &json::to_vec(part));
    Frozen { jws, sealed, digest }
}

fn sealed_part_of(fact: &Fact) -> Option<SealedPart> {
    let Fact::Redemption(draft, evidence) = fact else { return None };
    Some(SealedPart {
        identity: draft.identity.clone(),
        second_factor: draft.second_factor.clone(),
        evidence: evidence.clone(),
    })
}

fn signed_part_of(
    record: &Record,
    enrolment: &Enrolment,
    seq: u64,
    prev: Digest,
    sealed: Option<Digest>,
) -> SignedPart {
    let common = SignedPart {
        id: record.id,
        account: record.account.clone(),
        terminal: enrolment.terminal.clone(),
        provider: enrolment.provider.clone(),
        site: enrolment.site.clone(),
        seq,
        prev,
        catalogue_seq: record.catalogue_seq,
        tapped_at: record.made_at,
        clock: SignedClock {
            trusted: record.clock.trusted,
            offset_ms: record.clock.offset_ms,
            boot: record.clock.boot.clone(),
            monotonic_ms: record.monotonic_ms,
        },
        operator: record.operator.clone(),
        profile: None,
        sealed,
        fact: SignedFact::NoticeAck { version: 0 },
    };
    match &record.fact {
        // The card signed the draft's instant, so the draft's clock is the record's.
        Fact::Redemption(draft, _) => SignedPart {
            catalogue_seq: draft.catalogue_seq,
            tapped_at: draft.tapped_at,
            clock: SignedClock {
                trusted: draft.clock.trusted,
                offset_ms: draft.clock.offset_ms,
                boot: draft.clock.boot.clone(),
                monotonic_ms: draft.monotonic_ms,
            },
            operator: draft.operator.clone(),
            profile: draft.profile,
            fact: SignedFact::Redemption(claim_of(draft)),
            ..common
        },
        Fact::Reversal { reverses, offer, service_date, reason } => {
            let (offer, service_date) = (offer.clone(), *service_date);
            let fact = SignedFact::Reversal { reverses: *reverses, offer, service_date, reason: *reason };
            SignedPart { fact, ..common }
        }
        Fact::Served { of } => SignedPart { fact: SignedFact::Served { of: *of }, ..common },
        Fact::NoticeAck { version } => SignedPart { fact: SignedFact::NoticeAck { version: *version }, ..common },
        Fact::Refiled { frozen, .. } => SignedPart { fact: SignedFact::Refiled { original: frozen.digest }, ..common },
    }
}

fn claim_of(draft: &Draft) -> Claim {
    Claim {
        offer: draft.offer.clone(),
        service_date: draft.service_date,
        phase: draft.phase,
        quantity: draft.quantity.clone(),
        amount: draft.amount,
        route: draft.route,
        level: draft.level,
        basis: draft.basis.clone(),
    }
}

/// A record whose signature held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    /// What was signed.
    pub part: SignedPart,
    /// Digest by which it is known, and which the next record names as `prev`.
    pub digest: Digest,
    /// Key that signed it.
    pub kid: Kid,
}

/// Verifies a record's signature by the key that `find` knows under its name, then parses it. Whether the key belongs
/// to the terminal the record names is the caller's check: it knows whom it certified.
///
/// # Errors
/// [`RecordError::Jws`], [`RecordError::Json`].
pub fn verify(jws: &str, find: impl FnOnce(Kid) -> Result<PublicKey, JwsError>) -> Result<VerifiedRecord, RecordError> {
    let verified = jws::verify_by(jws, Typ::Record, MAX_JWS_LEN, find)?;
    let part = json::from_slice(&verified.payload, MAX_JWS_LEN)?;
    Ok(VerifiedRecord { part, digest: verified.digest, kid: verified.kid })
}

/// The sealed part that was signed, opened. `None` for types that have none.
///
/// For a refiled record `part` is the original's, because it was sealed under the old ids.
///
/// # Errors
/// [`RecordError::SealedDigest`], [`RecordError::Seal`], [`RecordError::SealedPart`].
pub fn open(part: &SignedPart, sealed: &[u8], key: &OpeningKey) -> Result<Option<SealedPart>, RecordError> {
    let Some(digest) = part.sealed else {
        return if sealed.is_empty() { Ok(None) } else { Err(RecordError::SealedDigest) };
    };
    if sealed.len() > MAX_SEALED_LEN || sha256(sealed) != digest {
        return Err(RecordError::SealedDigest);
    }
    let plaintext = key.open(&part.account, part.id, sealed)?;
    Ok(Some(SealedPart::decode(&plaintext)?))
}
