//! The signed part of a record (protocol, 4): what terminal and account agree on, without a fact about the child.
//!
//! On the wire it is one flat object whose members depend on its type. In the program it is a common head and one
//! [`SignedFact`], so that a record that lacks what its type needs, or carries what it must not, cannot exist.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::form::{self, number};
use crate::domain::{
    amount::{Cents, Minutes, Month, Percent, Quantity},
    ids::{AccountId, Digest, OfferId, OperatorId, ProviderId, RecordId, SiteId, TerminalId},
    reading::{Level, Route},
    record::{Basis, BasisKind, ReversalReason, ServicePhase},
};

/// The only version of the record's form.
pub const VERSION: u8 = 1;
/// Most characters of an event's name.
pub const MAX_EVENT_CHARS: usize = 120;
/// Most months in one quantity.
pub const MAX_MONTHS: usize = 12;
/// Most lines of a closing.
pub const MAX_TOTALS: usize = 200;

/// The signed part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat", into = "Flat")]
pub struct SignedPart {
    /// The record.
    pub id: RecordId,
    /// The account it is owed to.
    pub account: AccountId,
    /// The terminal that made it.
    pub terminal: TerminalId,
    /// Its provider.
    pub provider: ProviderId,
    /// Its site.
    pub site: SiteId,
    /// Its place in the terminal's chain, from 1.
    pub seq: u64,
    /// Digest of the record before; of the terminal's first certificate (DER) for the first.
    pub prev: Digest,
    /// Catalogue in force, 0 if none.
    pub catalogue_seq: u64,
    /// Wall clock when it was made; of a claim, at the tap.
    pub tapped_at: Timestamp,
    /// How far that clock can be believed.
    pub clock: SignedClock,
    /// Who did it.
    pub operator: OperatorId,
    /// Digest of reader and card profile, if a chip was read.
    pub profile: Option<Digest>,
    /// SHA-256 of the sealed part, if there is one.
    pub sealed: Option<Digest>,
    /// What it says.
    pub fact: SignedFact,
}

/// The clock as a record carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedClock {
    /// It agreed with the newest trusted instant and was synchronised.
    pub trusted: bool,
    /// Wall clock minus the account's time at the last exchange, ms.
    pub offset_ms: i64,
    /// Id of this run of the machine, at most 64 characters.
    pub boot: String,
    /// Milliseconds since then.
    pub monotonic_ms: u64,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedFact {
    /// A benefit was claimed.
    Redemption(Claim),
    /// A place was kept and nobody came.
    NoShow(Claim),
    /// An own redemption is taken back.
    Reversal {
        /// The redemption.
        reverses: RecordId,
        /// Its offer.
        offer: OfferId,
        /// Its service date.
        service_date: Date,
        /// Why.
        reason: ReversalReason,
    },
    /// A wait ended in a grant without an answer.
    Served {
        /// The redemption that was awaited.
        of: RecordId,
    },
    /// An operator confirmed the secrecy notice.
    NoticeAck {
        /// Its version.
        version: u32,
    },
    /// End of a day or shift with what the terminal counted.
    Closing {
        /// Day that was closed.
        service_date: Date,
        /// Counts and sums per offer.
        totals: Vec<Total>,
    },
    /// A record of a forked chain, brought again under a new identity.
    Refiled {
        /// Its digest under the old identity.
        original: Digest,
    },
}

impl SignedFact {
    /// The record's `type`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Redemption(_) => "redemption",
            Self::NoShow(_) => "no_show",
            Self::Reversal { .. } => "reversal",
            Self::Served { .. } => "served",
            Self::NoticeAck { .. } => "notice_ack",
            Self::Closing { .. } => "closing",
            Self::Refiled { .. } => "refiled",
        }
    }
}

/// What is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The offer.
    pub offer: OfferId,
    /// Day of the service.
    pub service_date: Date,
    /// Part of the service.
    pub phase: ServicePhase,
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// How the identity came.
    pub route: Route,
    /// The level the terminal says it reached; the account derives its own.
    pub level: Level,
    /// Ground of the decision.
    pub basis: Basis,
}

/// One line of a closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The offer.
    #[serde(with = "form")]
    pub offer: OfferId,
    /// Redemptions less reversals.
    pub count: u32,
    /// Their cents.
    #[serde(with = "number")]
    pub amount_cents: Cents,
}

/// The wire form; members in the order of protocol, 4.
#[derive(Clone, Serialize, Deserialize)]
struct Flat {
    v: u8,
    #[serde(with = "form")]
    id: RecordId,
    #[serde(with = "form")]
    account: AccountId,
    #[serde(with = "form")]
    terminal: TerminalId,
    #[serde(with = "form")]
    provider: ProviderId,
    #[serde(with = "form")]
    site: SiteId,
    seq: u64,
    #[serde(with = "form")]
    prev: Digest,
    /// What the record says; which optional members it has depends on it.
    r#type: String,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    offer: Option<OfferId>,
    catalogue_seq: u64,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    service_date: Option<Date>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    phase: Option<ServicePhase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantity: Option<QuantityForm>,
    #[serde(with = "number::option", default, skip_serializing_if = "Option::is_none")]
    amount_cents: Option<Cents>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    route: Option<Route>,
    #[serde(with = "number::option", default, skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    #[serde(with = "form")]
    tapped_at: Timestamp,
    clock: SignedClock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<BasisForm>,
    #[serde(with = "form")]
    operator: OperatorId,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    profile: Option<Digest>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Digest>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    reverses: Option<RecordId>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    of: Option<RecordId>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    reason: Option<ReversalReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totals: Option<Vec<Total>>,
    /// The notice that was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice_version: Option<u32>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    original: Option<Digest>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "lowercase")]
enum QuantityForm {
    Meal,
    Minutes {
        #[serde(with = "number")]
        minutes: Minutes,
        #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
        started: Option<RecordId>,
    },
    Months {
        /// Ascending.
        #[serde(with = "form::list")]
        months: Vec<Month>,
    },
    Amount {
        event: String,
    },
    Share {
        #[serde(with = "form")]
        month: Month,
        #[serde(with = "number")]
        percent: Percent,
    },
}

#[derive(Clone, Serialize, Deserialize)]
struct BasisForm {
    #[serde(with = "form")]
    kind: BasisKind,
    card_list_seq: u64,
    trust_list_seq: u64,
}

impl From<Quantity> for QuantityForm {
    fn from(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Meal => Self::Meal,
            Quantity::Minutes { minutes, started } => Self::Minutes { minutes, started },
            Quantity::Months(months) => Self::Months { months: months.into_iter().collect() },
            Quantity::Amount { event } => Self::Amount { event },
            Quantity::Share { month, percent } => Self::Share { month, percent },
        }
    }
}

impl TryFrom<QuantityForm> for Quantity {
    type Error = &'static str;

    fn try_from(form: QuantityForm) -> Result<Self, &'static str> {
        Ok(match form {
            QuantityForm::Meal => Self::Meal,
            QuantityForm::Minutes { minutes, started } => Self::Minutes { minutes, started },
            QuantityForm::Months { months } => {
                let ascending = months.windows(2).all(|pair| pair[0] < pair[1]);
                if !ascending || !(1..=MAX_MONTHS).contains(&months.len()) {
                    return Err("1 to 12 months, ascending");
                }
                Self::Months(months.into_iter().collect())
            }
            QuantityForm::Amount { event } => {
                if !is_event(&event) {
                    return Err("an event has at most 120 characters and no control characters");
                }
                Self::Amount { event }
            }
            QuantityForm::Share { month, percent } => Self::Share { month, percent },
        })
    }
}

/// A text staff typed that the account takes as an event's name.
#[must_use]
pub fn is_event(text: &str) -> bool {
    text.chars().count() <= MAX_EVENT_CHARS && !text.chars().any(char::is_control)
}

impl From<SignedPart> for Flat {
    fn from(part: SignedPart) -> Self {
        let mut flat = Self {
            v: VERSION,
            id: part.id,
            account: part.account,
            terminal: part.terminal,
            provider: part.provider,
            site: part.site,
            seq: part.seq,
            prev: part.prev,
            r#type: part.fact.word().to_owned(),
            offer: None,
            catalogue_seq: part.catalogue_seq,
            service_date: None,
            phase: None,
            quantity: None,
            amount_cents: None,
            route: None,
            level: None,
            tapped_at: part.tapped_at,
            clock: part.clock,
            basis: None,
            operator: part.operator,
            profile: part.profile,
            sealed: part.sealed,
            reverses: None,
            of: None,
            reason: None,
            totals: None,
            notice_version: None,
            original: None,
        };
        match part.fact {
            SignedFact::Redemption(claim) | SignedFact::NoShow(claim) => {
                let Basis { kind, card_list_seq, trust_list_seq } = claim.basis;
                flat.offer = Some(claim.offer);
                flat.service_date = Some(claim.service_date);
                flat.phase = Some(claim.phase);
                flat.quantity = Some(claim.quantity.into());
                flat.amount_cents = Some(claim.amount);
                flat.route = Some(claim.route);
                flat.level = Some(claim.level);
                flat.basis = Some(BasisForm { kind, card_list_seq, trust_list_seq });
            }
            SignedFact::Reversal { reverses, offer, service_date, reason } => {
                flat.reverses = Some(reverses);
                flat.offer = Some(offer);
                flat.service_date = Some(service_date);
                flat.reason = Some(reason);
            }
            SignedFact::Served { of } => flat.of = Some(of),
            SignedFact::NoticeAck { version } => flat.notice_version = Some(version),
            SignedFact::Closing { service_date, totals } => {
                flat.service_date = Some(service_date);
                flat.totals = Some(totals);
            }
            SignedFact::Refiled { original } => flat.original = Some(original),
        }
        flat
    }
}

impl TryFrom<Flat> for SignedPart {
    type Error = String;

    fn try_from(mut flat: Flat) -> Result<Self, String> {
        if flat.v != VERSION {
            return Err(format!("version {} of the record is not known", flat.v));
        }
        if flat.seq == 0 {
            return Err("seq counts from 1".into());
        }
        if flat.clock.boot.len() > 64 {
            return Err("boot is too long".into());
        }
        let fact = take_fact(&mut flat)?;
        if let Some(name) = left_over(&flat) {
            return Err(format!("{name} does not belong to a {}", flat.r#type));
        }
        Ok(Self {
            id: flat.id,
            account: flat.account,
            terminal: flat.terminal,
            provider: flat.provider,
            site: flat.site,
            seq: flat.seq,
            prev: flat.prev,
            catalogue_seq: flat.catalogue_seq,
            tapped_at: flat.tapped_at,
            clock: flat.clock,
            operator: flat.operator,
            profile: flat.profile,
            sealed: flat.sealed,
            fact,
        })
    }
}

fn need<T>(member: &mut Option<T>, name: &str) -> Result<T, String> {
    member.take().ok_or_else(|| format!("{name} is missing"))
}

/// Takes the members of the record's type out of the flat form.
fn take_fact(flat: &mut Flat) -> Result<SignedFact, String> {
    let sealed = flat.sealed.is_some();
    let fact = match flat.r#type.as_str() {
        "redemption" => SignedFact::Redemption(take_claim(flat)?),
        "no_show" => SignedFact::NoShow(take_claim(flat)?),
        "reversal" => SignedFact::Reversal {
            reverses: need(&mut flat.reverses, "reverses")?,
            offer: need(&mut flat.offer, "offer")?,
            service_date: need(&mut flat.service_date, "service_date")?,
            reason: need(&mut flat.reason, "reason")?,
        },
        "served" => SignedFact::Served { of: need(&mut flat.of, "of")? },
        "notice_ack" => SignedFact::NoticeAck { version: need(&mut flat.notice_version, "notice_version")? },
        "closing" => SignedFact::Closing {
            service_date: need(&mut flat.service_date, "service_date")?,
            totals: need(&mut flat.totals, "totals").and_then(|totals| {
                if totals.len() <= MAX_TOTALS { Ok(totals) } else { Err("too many totals".into()) }
            })?,
        },
        "refiled" => SignedFact::Refiled { original: need(&mut flat.original, "original")? },
        _ => return Err("the type is not known".into()),
    };
    match fact {
        SignedFact::Redemption(_) | SignedFact::NoShow(_) if !sealed => Err("sealed is missing".into()),
        SignedFact::Redemption(_) | SignedFact::NoShow(_) | SignedFact::Refiled { .. } => Ok(fact),
        _ if sealed => Err("sealed does not belong here".into()),
        _ => Ok(fact),
    }
}

fn take_claim(flat: &mut Flat) -> Result<Claim, String> {
    let basis = need(&mut flat.basis, "basis")?;
    let claim = Claim {
        offer: need(&mut flat.offer, "offer")?,
        service_date: need(&mut flat.service_date, "service_date")?,
        phase: need(&mut flat.phase, "phase")?,
        quantity: need(&mut flat.quantity, "quantity")?.try_into()?,
        amount: need(&mut flat.amount_cents, "amount_cents")?,
        route: need(&mut flat.route, "route")?,
        level: need(&mut flat.level, "level")?,
        basis: Basis { kind: basis.kind, card_list_seq: basis.card_list_seq, trust_list_seq: basis.trust_list_seq },
    };
    if claim.phase == ServicePhase::Start && claim.amount != Cents::ZERO {
        return Err("a start tap books nothing".into());
    }
    Ok(claim)
}

/// A known member that the record's type does not have.
fn left_over(flat: &Flat) -> Option<&'static str> {
    let present = [
        (flat.offer.is_some(), "offer"),
        (flat.service_date.is_some(), "service_date"),
        (flat.phase.is_some(), "phase"),
        (flat.quantity.is_some(), "quantity"),
        (flat.amount_cents.is_some(), "amount_cents"),
        (flat.route.is_some(), "route"),
        (flat.level.is_some(), "level"),
        (flat.basis.is_some(), "basis"),
        (flat.reverses.is_some(), "reverses"),
        (flat.of.is_some(), "of"),
        (flat.reason.is_some(), "reason"),
        (flat.totals.is_some(), "totals"),
        (flat.notice_version.is_some(), "notice_version"),
        (flat.original.is_some(), "original"),
    ];
    present.into_iter().find_map(|(there, name)| there.then_some(name))
}
