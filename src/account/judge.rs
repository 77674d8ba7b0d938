//! What a claim is worth, without the ledger: believes evidence, not claims (protocol, 5). Pure.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::sun::SunKeys;
use crate::{
    card::{BookingContext, Trust, credential::Kind, evidence},
    domain::{
        amount::Cents,
        claim::Refusal,
        ids::{Digest, DistrictId, Identity, IdentityKind},
        offer::{Catalogue, Offer, OnFault},
        reading::{Evidence, Level, Route},
        record::{BasisKind, ServicePhase},
    },
    protocol::{
        jws::sha256,
        problem::Reason,
        record::{Claim, SealedPart, SignedPart},
    },
};

/// What the evidence proves.
#[derive(Debug, Clone)]
pub struct Proven {
    /// Whose claim it is.
    pub identity: Identity,
    /// As far as it is proven.
    pub level: Level,
    /// Beacon in the signed context, of a chip or phone.
    pub beacon: Option<[u8; 16]>,
    /// What may be used once: a card's key with its counter, or an app code's token.
    pub once: Option<(Digest, u32)>,
    /// The issuer is known by the card's own chain alone.
    pub chain_only: bool,
    /// The NTAG 424 chip whose message it was: it must be the one on the card that the identity names, and its counter
    /// only rises.
    pub chip: Option<[u8; 7]>,
}

/// Verifies the evidence over a booking that is rebuilt from the record's own fields. `sun` are the keys of the
/// districts' NTAG 424 chips, `at` is the instant for which credentials must be valid.
///
/// # Errors
/// [`Reason::EvidenceInvalid`], whatever is wrong with it: the evidence of an honest terminal verified there already.
pub fn examine(
    part: &SignedPart,
    claim: &Claim,
    sealed: &SealedPart,
    trust: &Trust,
    sun: &BTreeMap<DistrictId, SunKeys>,
    at: Timestamp,
) -> Result<Proven, Reason> {
    let invalid = |_| Reason::EvidenceInvalid;
    let said = &sealed.identity;
    let mut proven =
        Proven { identity: said.clone(), level: Level::TYPED, beacon: None, once: None, chain_only: false, chip: None };
    match (&sealed.evidence, claim.route) {
        (Evidence::Bik1(shown), Route::Chip | Route::Phone) => {
            let context = BookingContext {
                account: part.account.clone(),
                terminal: part.terminal.clone(),
                provider: part.provider.clone(),
                offer: claim.offer.clone(),
                service_date: claim.service_date,
                phase: claim.phase,
                record: part.id,
                quantity: claim.quantity.clone(),
                amount: claim.amount,
                nonce: shown.nonce,
                unix_time: part.tapped_at.as_second(),
                beacon: shown.beacon,
            };
            let proof = evidence::verify_bik1(shown, &context, trust, at).map_err(invalid)?;
            let route = if proof.kind == Kind::Phone { Route::Phone } else { Route::Chip };
            let identity = Identity { district: proof.district, kind: IdentityKind::Cti, bytes: proof.cti.to_vec() };
            if identity != *said || route != claim.route {
                return Err(Reason::EvidenceInvalid);
            }
            proven.level = Level::PROVEN;
            proven.beacon = Some(shown.beacon);
            proven.once = Some((proof.card_key, proof.counter));
            proven.chain_only = proof.chain_only;
        }
        (Evidence::Bik1Code { credential, proof, challenge }, Route::Code) => {
            let proof = evidence::verify_code(credential, proof, trust, at).map_err(invalid)?;
            if proof.identity != *said {
                return Err(Reason::EvidenceInvalid);
            }
            let bound = challenge.as_ref().is_some_and(|digits| proof.is_bound_to(&part.terminal, digits));
            proven.level = if bound { Level::PROVEN } else { Level::SIGNED };
            // A token has no counter; together with the card it is unique all the same.
            proven.once = Some((sha256(&[&proof.cti[..], &proof.token].concat()), 0));
        }
        (Evidence::Bik1Static { credential }, Route::Code) => {
            let proof = evidence::verify_static(credential, trust, at).map_err(invalid)?;
            if proof.identity != *said {
                return Err(Reason::EvidenceInvalid);
            }
            proven.level = Level::SIGNED;
        }
        (Evidence::None, Route::Code) if said.kind == IdentityKind::Number => proven.level = Level::SEEN,
        // The message is not bound to the booking: it proves that this chip was read since its last message.
        (Evidence::Sun { picc_data, cmac }, Route::Chip) if said.kind == IdentityKind::Number => {
            let message = picc_data.as_slice().try_into().ok().zip(cmac.as_slice().try_into().ok());
            let (picc_data, cmac) = message.ok_or(Reason::EvidenceInvalid)?;
            let keys = sun.get(&said.district).ok_or(Reason::EvidenceInvalid)?;
            let picc = keys.verify(&said.district, picc_data, cmac).map_err(|_| Reason::EvidenceInvalid)?;
            proven.level = Level::SYMMETRIC;
            proven.once = Some((sha256(&[said.district.as_str().as_bytes(), &picc.uid].concat()), picc.counter));
            proven.chip = Some(picc.uid);
        }
        // An unsigned chip may hold a printed number instead of being known by its UID.
        (Evidence::None, Route::Uid) if matches!(said.kind, IdentityKind::Uid | IdentityKind::Number) => {
            proven.level = Level::SEEN;
        }
        // Digits that a scanner typed were seen (level 1), those of a finger were not: nobody can tell afterwards.
        (Evidence::None, Route::Number) if said.kind == IdentityKind::Number => {
            proven.level = claim.level.min(Level::SEEN);
        }
        (Evidence::None, Route::List) => {}
        // A chip or phone that proved nothing.
        _ => return Err(Reason::EvidenceInvalid),
    }
    // A level that was raised shows that the record lies; a list is picked by hand, whatever it is called.
    if claim.level > proven.level && claim.route != Route::List {
        return Err(Reason::EvidenceInvalid);
    }
    Ok(proven)
}

/// What the catalogue makes of a claim.
#[derive(Debug, Clone)]
pub struct Terms<'c> {
    /// The offer.
    pub offer: &'c Offer,
    /// What it costs.
    pub amount: Cents,
    /// Served at a technical fault: the level is waived, nothing is booked by itself.
    pub waived: bool,
    /// Fault and paper entries of this route and day beyond this are refused.
    pub fault_cap: Option<u32>,
}

/// Judges a claim by the catalogue it names; what it costs is computed, not believed. `today` is the day of the tap.
///
/// # Errors
/// The rule that is broken. None of them depends on whose card it is.
pub fn terms<'c>(
    catalogue: &'c Catalogue,
    claim: &Claim,
    proven: &Proven,
    today: Date,
    no_show: bool,
) -> Result<Terms<'c>, Reason> {
    let offer = catalogue.offer(&claim.offer).ok_or(Reason::OfferUnknown)?;
    if !offer.released {
        return Err(Reason::OfferNotReleased);
    }
    catalogue.takes_date(offer, claim.service_date, today).map_err(|refusal| match refusal {
        Refusal::NotYetValid => Reason::NotYetValid,
        Refusal::PeriodOver => Reason::PeriodOver,
        _ => Reason::WrongDate,
    })?;
    if claim.quantity.unit() != offer.unit || (no_show && !offer.no_show) {
        return Err(Reason::QuantityWrong);
    }
    let price = if claim.phase == ServicePhase::Start {
        Some(Cents::ZERO)
    } else {
        offer.price_of(&claim.quantity, Some(claim.amount))
    };
    let amount = price.filter(|price| *price == claim.amount).ok_or(Reason::AmountWrong)?;
    let rule = offer.routes.get(&claim.route).ok_or(Reason::RouteNotAllowed)?;
    let named = matches!(claim.route, Route::Number | Route::Code | Route::List);
    let fault = matches!(claim.basis.kind, BasisKind::Fault | BasisKind::Paper);
    let waived = claim.basis.kind == BasisKind::Fault && named && offer.on_fault == OnFault::Serve;
    if proven.level < rule.min_level && !waived {
        return Err(Reason::LevelTooLow);
    }
    if claim.basis.kind == BasisKind::Fault && !waived {
        return Err(Reason::RouteNotAllowed);
    }
    let chain_cap = if proven.chain_only { offer.chain_only_cap } else { None };
    if [rule.cap, chain_cap].into_iter().flatten().any(|cap| amount > cap) {
        return Err(Reason::LimitReached);
    }
    Ok(Terms { offer, amount, waived, fault_cap: rule.fault_cap.filter(|_| fault) })
}
