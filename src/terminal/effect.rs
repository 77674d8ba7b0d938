//! Everything the machine can want, as data. The driver does it; results come back as inputs.

use std::time::Duration;

use jiff::civil::Date;

use super::screen::BlockedBy;
pub use crate::domain::booking::BookingFilter as RowFilter;
use crate::domain::{
    decision::Refusal,
    ids::{AccountId, OfferId, RecordId, TapId},
    reading::{Identified, Route},
    record::{Draft, Record},
};

/// Tells one timer from all earlier ones; a stale token is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerToken(pub u64);

/// Sounds (user-interface, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chime {
    /// A card is being read.
    Tick,
    /// Booked.
    Yes,
    /// Already today.
    Already,
    /// Not possible.
    No,
    /// Read again.
    Again,
}

/// What the machine wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Cards may be read, or not.
    ArmReader(bool),
    /// Find out what is known beyond the card.
    LoadStanding {
        /// Answered under this tap.
        tap: TapId,
        /// Whose.
        identified: Box<Identified>,
        /// The account asked.
        account: AccountId,
        /// The offer in question, if one is chosen.
        offer: Option<OfferId>,
        /// The day in question.
        service_date: Date,
    },
    /// Let the card sign exactly this booking. Nonce, beacon and challenge are the driver's. May follow an
    /// [`Effect::EndCard`] of the same presence (after a choice or a second helping): the reader takes the card up again
    /// if it still lies there, else answers that it was removed. Always answered.
    Authenticate {
        /// The presence.
        tap: TapId,
        /// The booking.
        draft: Box<Draft>,
    },
    /// Nothing more is wanted of the card that lies there: its transaction ends.
    EndCard {
        /// The presence.
        tap: TapId,
    },
    /// Decode and verify a code.
    DecodeCode {
        /// Answered under this tap.
        tap: TapId,
        /// As it came.
        code: String,
        /// Six digits on the screen, if any.
        challenge: Option<String>,
    },
    /// Put a record on disk.
    Commit(Box<Record>),
    /// A commit is uncertain: look the record up after reopening.
    LookUp(RecordId),
    /// The picture of this grant was seen.
    MarkShown(RecordId),
    /// Remember a refusal for counts and diagnosis, without identity.
    Note {
        /// What was refused.
        refusal: Refusal,
        /// Which offer.
        offer: Option<OfferId>,
        /// By which way.
        route: Option<Route>,
    },
    /// A sound.
    Chime(Chime),
    /// Wake me with this token.
    After {
        /// The token.
        token: TimerToken,
        /// After this long.
        delay: Duration,
    },
    /// There is something to send.
    WakeForwarder {
        /// This record travels alone and first; somebody waits that long for it.
        awaited: Option<(RecordId, Duration)>,
    },
    /// The operator wants it sent now.
    SendNow,
    /// Rows for an open list.
    LoadRows(RowFilter),
    /// Staff have seen this later refusal or unclear grant.
    Acknowledge(RecordId),
    /// Ask the server behind an activation code who it is.
    BeginActivation {
        /// The code.
        code: String,
        /// PIN of the first administrator.
        admin_pin: Option<String>,
    },
    /// The operator confirmed host and municipality.
    ConfirmActivation,
    /// The operator did not.
    AbandonActivation,
    /// Check a PIN.
    CheckPin {
        /// Name.
        operator: String,
        /// Six digits.
        pin: String,
    },
    /// The terminal stops; tell the log and the service manager.
    Alarm(BlockedBy),
    /// End the program in order.
    Stop,
}
