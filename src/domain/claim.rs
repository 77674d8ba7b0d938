//! What is asked for at a tap, and the reasons for which it is not granted.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};

use super::{
    amount::{Cents, Minutes, Month},
    ids::{OfferId, RecordId},
    reading::ReadFailure,
    record::ServicePhase,
};

/// What the operator set before the tap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The offer, preset or chosen.
    pub offer: Option<OfferId>,
    /// The day of the service, if not today.
    pub service_date: Option<Date>,
    /// The operator confirmed a second helping.
    pub again: bool,
    /// Part of a lesson; `None` = the whole of it.
    pub phase: Option<ServicePhase>,
    /// Length of a lesson, entered by hand.
    pub minutes: Option<Minutes>,
    /// Months of a fee.
    pub months: BTreeSet<Month>,
    /// A free amount.
    pub amount: Option<Cents>,
    /// What the free amount is for.
    pub event: Option<String>,
    /// Card or reader failed just now: an offer that serves at faults waives its minimum level for a number, code or
    /// list.
    pub fault: bool,
}

/// Why a claim is not granted. A value, not an error; each has a stable code for screen, wire and run book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No claim to this offer.
    NotEntitled,
    /// The claim has ended.
    PeriodOver,
    /// The claim or offer has not begun.
    NotYetValid,
    /// Nothing left for the quantity chosen.
    UsedUp,
    /// The card is locked.
    CardLocked,
    /// A newer card exists.
    CardReplaced,
    /// Unknown here, and the offer does not take unknown cards.
    CardUnknown,
    /// Several children fit.
    Ambiguous,
    /// The provider is suspended.
    ProviderNotApproved,
    /// The offer is not released.
    OfferNotReleased,
    /// The way it was read is not allowed for this offer.
    RouteNotAllowed,
    /// Too little proof for this offer.
    LevelTooLow,
    /// A limit of the offline period or of the route.
    LimitReached,
    /// The offer waits for an answer and none came.
    NoConnection,
    /// Today already, at this time; the operator may confirm a second helping if `second_helping`.
    AlreadyToday {
        /// When.
        at: Timestamp,
        /// The record.
        record: RecordId,
        /// A second helping may be confirmed.
        second_helping: bool,
    },
    /// A month of the claim was booked already.
    MonthTaken(Month),
    /// Day without service, or service date outside its window.
    WrongDate,
    /// The clock cannot be believed and the offer wants it.
    ClockSuspect,
    /// Catalogue, list or notice is missing or has lapsed.
    DocumentsLapsed,
    /// No offer is chosen and none fits.
    NoOffer,
    /// Number and code take no second tap: attempts are used up.
    TooManyAttempts,
    /// The account said no while somebody waited.
    ByAccount {
        /// Its reason code.
        reason: String,
    },
    /// The offer needs minutes, months, an amount or an event, and none was chosen before the tap.
    NoQuantity,
    /// The end of a lesson whose start is not known here.
    NoStart,
    /// The journal did not take this one record; nothing was promised.
    NotRecorded,
    /// The reading itself failed for good.
    Reading(ReadFailure),
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotEntitled => "not_entitled",
            Self::PeriodOver => "period_over",
            Self::NotYetValid => "not_yet_valid",
            Self::UsedUp => "used_up",
            Self::CardLocked => "card_locked",
            Self::CardReplaced => "card_replaced",
            Self::CardUnknown => "card_unknown",
            Self::Ambiguous => "ambiguous",
            Self::ProviderNotApproved => "provider_not_approved",
            Self::OfferNotReleased => "offer_not_released",
            Self::RouteNotAllowed => "route_not_allowed",
            Self::LevelTooLow => "level_too_low",
            Self::LimitReached => "limit_reached",
            Self::NoConnection => "no_connection",
            Self::AlreadyToday { .. } => "already_today",
            Self::MonthTaken(_) => "month_taken",
            Self::WrongDate => "wrong_date",
            Self::ClockSuspect => "clock_suspect",
            Self::DocumentsLapsed => "documents_lapsed",
            Self::NoOffer => "no_offer",
            Self::TooManyAttempts => "too_many_attempts",
            Self::ByAccount { .. } => "by_account",
            Self::NoQuantity => "no_quantity",
            Self::NoStart => "no_start",
            Self::NotRecorded => "not_recorded",
            Self::Reading(failure) => failure.code(),
        }
    }
}
