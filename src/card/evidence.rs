//! The other side: whoever is handed evidence verifies it again from the record's own fields, and believes nothing else
//! (protocol, 5).

use jiff::{SignedDuration, Timestamp};

use super::{
    bik1::Answer,
    context::BookingContext,
    cose::{ObjectType, Sign1},
    credential::{Kind, ProofClaims},
    error::{CardError, ProofFault},
    key::sha256,
    trust::Trust,
    verify::{Presented, after},
};
use crate::domain::{
    ids::{Digest, DistrictId, Identity, TerminalId},
    reading::Bik1Evidence,
};

/// How far the clock of a phone may be off, either way.
pub const CODE_SKEW: SignedDuration = SignedDuration::from_secs(90);
/// Longest life of an app code's proof.
const MAX_PROOF_LIFE: SignedDuration = SignedDuration::from_secs(120);
/// Longest life of an app's credential; the app fetches a new one when it is online.
const MAX_APP_CREDENTIAL_LIFE: SignedDuration = SignedDuration::from_hours(35 * 24);

/// What a card's evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bik1Proof {
    /// Who issued the card.
    pub district: DistrictId,
    /// The card.
    pub cti: [u8; 16],
    /// Card or phone.
    pub kind: Kind,
    /// SHA-256 of the card's key in compressed form: with the counter it must be unique. Not of the credential, whose
    /// ECDSA signature has two forms, and which may be issued anew over the same key and counter.
    pub card_key: Digest,
    /// The card's counter.
    pub counter: u32,
    /// The issuer was known by the card's chain alone.
    pub chain_only: bool,
}

/// Verifies credential, chain and signature over a context that the caller rebuilt from the record, with nonce and
/// beacon of the evidence. `at` is the instant for which validity is judged: that of the tap.
///
/// # Errors
/// [`CardError`]; a context whose nonce or beacon are not the evidence's is [`ProofFault::Signature`].
pub fn verify_bik1(
    evidence: &Bik1Evidence,
    context: &BookingContext,
    trust: &Trust,
    at: Timestamp,
) -> Result<Bik1Proof, CardError> {
    let presented = Presented::credential(&evidence.credential)?;
    let issuer = match (presented.listed_issuer(trust)?, &evidence.chain) {
        (Some(issuer), _) => issuer,
        (None, Some(certificate)) => presented.chained_issuer(trust, certificate, at)?,
        (None, None) => return Err(CardError::UnknownIssuer),
    };
    // Both chips and phones sign challenges; a printed credential has no key and never comes this far.
    let channel = if presented.kind() == Kind::Phone { Kind::Phone } else { Kind::Card };
    let claims = presented.verify(trust, &issuer, at, channel)?;
    if context.nonce != evidence.nonce || context.beacon != evidence.beacon {
        return Err(CardError::Proof(ProofFault::Signature));
    }
    let key = claims.key.as_ref().expect("a `bik-crd` has a key");
    let answer =
        Answer { card_nonce: evidence.card_nonce, counter: evidence.counter, signature: evidence.signature.clone() };
    answer.verify(key, &context.challenge())?;
    Ok(Bik1Proof {
        district: claims.district,
        cti: claims.cti,
        kind: claims.kind,
        card_key: sha256(key.compressed()),
        counter: evidence.counter,
        chain_only: issuer.chain_only,
    })
}

/// What a printed code proves: that it was issued and is not denied. Anybody can copy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticProof {
    /// Whose it is.
    pub identity: Identity,
    /// The card; another one than the chip's on the same plastic.
    pub cti: [u8; 16],
}

/// Verifies a `bik-sta`.
///
/// # Errors
/// [`CardError`].
pub fn verify_static(credential: &[u8], trust: &Trust, at: Timestamp) -> Result<StaticProof, CardError> {
    let presented = Presented::static_print(credential)?;
    let issuer = presented.listed_issuer(trust)?.ok_or(CardError::UnknownIssuer)?;
    let claims = presented.verify(trust, &issuer, at, Kind::Printed)?;
    Ok(StaticProof { identity: claims.identity(), cti: claims.cti })
}

/// What an app code proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeProof {
    /// Whose it is.
    pub identity: Identity,
    /// The card.
    pub cti: [u8; 16],
    /// The proof's own id: with the card it must be unique.
    pub token: [u8; 8],
    /// End of the proof.
    pub expires: Timestamp,
    /// Terminal and challenge it is bound to.
    pub audience: Option<String>,
}

impl CodeProof {
    /// The code is bound to this challenge of this terminal.
    #[must_use]
    pub fn is_bound_to(&self, terminal: &TerminalId, challenge: &str) -> bool {
        self.audience.as_deref() == Some(format!("{terminal}/{challenge}").as_str())
    }
}

/// Verifies an app code: its credential (steps 1 to 9), then the proof by the credential's key. Whether a bound code
/// is bound to the right challenge is for the caller to ask: [`CodeProof::is_bound_to`].
///
/// # Errors
/// [`CardError`].
pub fn verify_code(credential: &[u8], proof: &[u8], trust: &Trust, at: Timestamp) -> Result<CodeProof, CardError> {
    let presented = Presented::credential(credential)?;
    let issuer = presented.listed_issuer(trust)?.ok_or(CardError::UnknownIssuer)?;
    let claims = presented.verify(trust, &issuer, at, Kind::Phone)?;
    if claims.issued.duration_until(claims.expires) > MAX_APP_CREDENTIAL_LIFE {
        return Err(CardError::CodeLifetime);
    }
    let key = claims.key.as_ref().expect("a `bik-crd` has a key");
    let sign1 = Sign1::parse(proof, ObjectType::Proof)?;
    let proof = ProofClaims::read(sign1.claims())?;
    if sign1.key_id() != key.id() || !sign1.is_signed_by(key, &sha256(credential).0) {
        return Err(CardError::CodeProof);
    }
    if proof.issued.duration_until(proof.expires) > MAX_PROOF_LIFE {
        return Err(CardError::CodeLifetime);
    }
    if proof.issued > after(at, CODE_SKEW) {
        return Err(CardError::CodeNotYetValid);
    }
    if after(proof.expires, CODE_SKEW) <= at {
        return Err(CardError::CodeExpired);
    }
    Ok(CodeProof {
        identity: claims.identity(),
        cti: claims.cti,
        token: proof.token,
        expires: proof.expires,
        audience: proof.audience,
    })
}
