//! The other side: whoever is handed evidence verifies it again from the record's own fields, and believes nothing else
//! (protocol, 5).

use jiff::Timestamp;

use super::{
    bik1::Answer,
    context::BookingContext,
    credential::Kind,
    error::{CardError, ProofFault},
    key::sha256,
    trust::Trust,
    verify::Presented,
};
use crate::domain::{
    ids::{Digest, DistrictId},
    reading::Bik1Evidence,
};

/// What a card's evidence proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bik1Proof {
    /// Who issued the card.
    pub district: DistrictId,
    /// The card.
    pub cti: [u8; 16],
    /// Card or phone.
    pub kind: Kind,
    /// SHA-256 of the credential: with the counter it must be unique.
    pub credential: Digest,
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
        credential: sha256(&evidence.credential),
        counter: evidence.counter,
        chain_only: issuer.chain_only,
    })
}
