//! A booking as lists show it: what was claimed, where its delivery stands, whether it was taken back.

use jiff::{Timestamp, civil::Date};

use super::{
    amount::{Cents, Quantity},
    ids::{AccountId, OfferId, RecordId, Tag},
    reading::Route,
    record::{ReversalReason, ServicePhase},
};

/// State of a booking in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookingState {
    /// Not answered yet.
    Waiting,
    /// Booked.
    Booked,
    /// With the office.
    Disputed,
    /// Refused afterwards.
    Rejected,
    /// Taken back; the reversal waits.
    ReversalWaiting,
    /// Taken back.
    Reversed,
    /// Committed but never shown green (R7).
    Unclear,
    /// Stands apart: conflict.
    Quarantined,
}

/// Which bookings a list wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookingFilter {
    /// Newest first.
    Last,
    /// Unsent, oldest first.
    Waiting,
    /// Refused later and not acknowledged.
    LaterRefusals,
}

/// One booking in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingRow {
    /// The record; for a refused reversal, the reversal's own, since that is what staff acknowledge.
    pub record: RecordId,
    /// The account it is owed to.
    pub account: AccountId,
    /// When, UTC.
    pub tapped_at: Timestamp,
    /// Day of the service.
    pub service_date: Date,
    /// What.
    pub offer: OfferId,
    /// Part of the service.
    pub phase: ServicePhase,
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// Last four of the card, while the local index still has it.
    pub tag: Option<Tag>,
    /// By which way.
    pub route: Route,
    /// State.
    pub state: BookingState,
    /// Reason of a later refusal or dispute.
    pub reason: Option<String>,
    /// Taken back because of.
    pub reversal: Option<ReversalReason>,
    /// Sending attempts so far.
    pub attempts: u32,
    /// Next try; `None` if none is planned.
    pub next_try: Option<Timestamp>,
    /// Last error code of sending.
    pub last_error: Option<String>,
}
