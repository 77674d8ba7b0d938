//! What may be claimed here, under which rules. All of it is catalogue data; no amount, age or legal basis is code.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    amount::{Cents, Unit},
    ids::OfferId,
    reading::{Level, Route},
};

/// A word that the catalogue may extend at any time (kinds of benefit, purses).
pub type OpenWord = String;

/// What a route of an offer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    /// Least level that is enough.
    pub min_level: Level,
    /// Most cents a single redemption by this route may have; `None` = the offer's own cap alone.
    pub cap: Option<Cents>,
    /// Most paper or fault redemptions per day by this route; `None` = no cap.
    pub fault_cap: Option<u32>,
}

/// What to do with a card that is in no list here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownCard {
    /// Not served.
    Refuse,
    /// Served up to this amount.
    AcceptBelow(Cents),
}

/// What to do when the answer did not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineRule {
    /// Serve, send later.
    Accept,
    /// Serve up to this amount.
    AcceptBelow(Cents),
    /// Do not serve; queue the reversal of what may have arrived.
    Refuse,
}

/// What to do at a technical fault of card or reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFault {
    /// The child eats; a known identity is recorded as unconfirmed.
    Serve,
    /// Not served.
    Refuse,
}

/// What a suspect clock means for an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspectClock {
    /// Flag the record, go on.
    Flag,
    /// Do not serve.
    Refuse,
}

/// One thing that may be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own in the catalogue")]
pub struct Offer {
    /// Its id in the catalogue.
    pub id: OfferId,
    /// What staff read, by language; always holds `de`.
    pub title: BTreeMap<String, String>,
    /// `lunch`, `tutoring`, …: open list.
    pub kind: OpenWord,
    /// What it is counted in.
    pub unit: Unit,
    /// Price of one unit, or cap of a free amount.
    pub price: Cents,
    /// First service date.
    pub valid_from: Date,
    /// Last service date.
    pub valid_to: Date,
    /// Most redemptions per child and day; `None` = unlimited. Lunch has 1.
    pub max_per_day: Option<u32>,
    /// Most redemptions per child and calendar month.
    pub max_per_month: Option<u32>,
    /// A second helping may be confirmed by the operator.
    pub second_helping: bool,
    /// Days a service date may lie in the past.
    pub back_dating_days: u16,
    /// Days within which a reversal is allowed without the office.
    pub reversal_days: u16,
    /// Day of the following month after which a month's services can no longer be entered or reversed without the
    /// office, 1 to 28; `None` = no cut-off.
    pub cut_off_day: Option<u8>,
    /// A place that was kept although nobody came may be recorded (`no_show`).
    pub no_show: bool,
    /// Allowed routes with their rules; a route that is absent is not allowed.
    pub routes: BTreeMap<Route, RouteRule>,
    /// Cards in no list.
    pub unknown_card: UnknownCard,
    /// No answer in time.
    pub offline: OfflineRule,
    /// How long somebody stands waiting for the answer, ms; 0 = never waits.
    pub online_wait_ms: u32,
    /// Technical faults.
    pub on_fault: OnFault,
    /// A clock that cannot be believed.
    pub suspect_clock: SuspectClock,
    /// Most cents for a card whose issuer is known by its own chain alone.
    pub chain_only_cap: Option<Cents>,
    /// Longest time between a beacon's issue and the tap's arrival, seconds; the account judges it.
    pub beacon_max_age_s: u32,
    /// The purse it is taken from; never shown.
    pub purse: OpenWord,
    /// The provider bears a late dispute, else the municipality.
    pub provider_bears_dispute: bool,
    /// Released for this provider; an unreleased offer is listed but cannot be claimed.
    pub released: bool,
}

/// How much may wait, how old, how far a single card may go without the account (product, 4.9). Soft limits are told
/// calmly, hard limits refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Waiting records at which the screen says so.
    pub waiting_soft: u32,
    /// Waiting records at which taps are refused.
    pub waiting_hard: u32,
    /// Age of the oldest waiting record that is told, seconds (24 h).
    pub oldest_soft_s: u32,
    /// Age at which taps are refused, seconds.
    pub oldest_hard_s: u32,
    /// Unsettled cents of one card at which it is refused.
    pub per_card_offline: Cents,
    /// Unsettled cents of one offer at which taps are refused.
    pub per_offer_offline: Cents,
}

/// The municipality's own texts, by language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Rises with each change; operators confirm again.
    pub version: u32,
    /// The secrecy notice (§ 78 SGB X), by language; always holds `de`.
    pub text: BTreeMap<String, String>,
    /// Whom to call, free text.
    pub contact: String,
    /// The application page families may be shown.
    pub application_url: Option<String>,
}

/// Everything the municipality rules for this provider at this site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// Document sequence (issue time in ms).
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// Seconds past `exp` during which taps still go on (`lapsed`).
    pub lapsed_grace_s: u32,
    /// Offers in the order they are shown.
    pub offers: Vec<Offer>,
    /// Limits of the offline period.
    pub limits: Limits,
    /// Secrecy notice and contact.
    pub notice: Notice,
    /// Days without service; empty = none.
    pub closed_days: Vec<Date>,
    /// Days after settlement at which the sealed part is deleted.
    pub retention_days: u16,
}

impl Offer {
    /// The level a reading has while the account has not spoken is what this offer asks of its route. What was waived or
    /// proven stays as it was decided.
    #[must_use]
    pub fn is_enough_unanswered(&self, route: Route, level: Level) -> bool {
        let unanswered = level.unanswered();
        unanswered == level || self.routes.get(&route).is_some_and(|rule| rule.min_level <= unanswered)
    }
}

impl Catalogue {
    /// The offer of that id.
    #[must_use]
    pub fn offer(&self, id: &OfferId) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.id == *id)
    }
}
