//! What a human can ask, by touch, key or JSON line. A command that makes no sense now is refused visibly.

use jiff::civil::Date;

use crate::domain::{
    amount::{Cents, Minutes, Month},
    ids::{AccountId, OfferId, RecordId},
    record::{ReversalReason, ServicePhase},
};

/// A screen an operator may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenScreen {
    /// Back to the ready screen.
    Ready,
    /// Number pad.
    Number,
    /// Last bookings.
    LastBookings,
    /// What waits.
    Queue,
    /// What was refused later.
    LaterRefusals,
    /// Language and view.
    View,
    /// Service page.
    Service,
    /// Version and licences.
    About,
    /// Activation for a further account, or anew.
    Activation,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandRefusal {
    /// It makes no sense in this phase.
    NotNow,
    /// No catalogue holds the offer, or it is not among those to choose from.
    UnknownOffer,
    /// The offer is not released for this provider.
    OfferNotReleased,
    /// The record is not in a list here.
    UnknownRecord,
    /// It was taken back already.
    AlreadyReversed,
    /// Nothing was booked that could be taken back.
    NotReversible,
    /// Not a reason a person may give.
    WrongReason,
    /// The 15 seconds are over, or nothing was booked.
    TooLate,
    /// The date lies in the future.
    WrongDate,
    /// The chosen offer is not counted in this.
    WrongUnit,
    /// Signing on is locked for some seconds.
    Locked,
    /// Not the code of a language.
    UnknownLanguage,
    /// Not available at this terminal.
    NotAvailable,
    /// A value has not the form it must have.
    BadValue,
}

impl CommandRefusal {
    /// All, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::NotNow,
        Self::UnknownOffer,
        Self::OfferNotReleased,
        Self::UnknownRecord,
        Self::AlreadyReversed,
        Self::NotReversible,
        Self::WrongReason,
        Self::TooLate,
        Self::WrongDate,
        Self::WrongUnit,
        Self::Locked,
        Self::UnknownLanguage,
        Self::NotAvailable,
        Self::BadValue,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotNow => "not_now",
            Self::UnknownOffer => "unknown_offer",
            Self::OfferNotReleased => "offer_not_released",
            Self::UnknownRecord => "unknown_record",
            Self::AlreadyReversed => "already_reversed",
            Self::NotReversible => "not_reversible",
            Self::WrongReason => "wrong_reason",
            Self::TooLate => "too_late",
            Self::WrongDate => "wrong_date",
            Self::WrongUnit => "wrong_unit",
            Self::Locked => "locked",
            Self::UnknownLanguage => "unknown_language",
            Self::NotAvailable => "not_available",
            Self::BadValue => "bad_value",
        }
    }
}

/// What an operator asks.
#[derive(Clone, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Presets or chooses an offer.
    ChooseOffer(OfferId),
    /// A code from a scanner.
    Scan {
        /// As it came.
        code: String,
    },
    /// A number from the pad.
    TypeNumber {
        /// Digits with check digits; blanks allowed.
        number: String,
        /// As typed.
        second_factor: Option<String>,
        /// The operator's choice where prefixes do not tell.
        account: Option<AccountId>,
    },
    /// Opens a screen.
    Open(OpenScreen),
    /// Opens one booking.
    Detail(RecordId),
    /// Second helping for the card that was just refused as already served.
    Again,
    /// Day of the service for the following taps.
    ServiceDate(Date),
    /// Start or end of a lesson.
    Phase(ServicePhase),
    /// What an amount is for.
    Event(String),
    /// The child did not come.
    NoShow,
    /// Shows six digits to type into the app.
    ShowChallenge,
    /// Length of a lesson.
    Minutes(Minutes),
    /// Months of a fee.
    Months(Vec<Month>),
    /// Free amount.
    Amount(Cents),
    /// Yes.
    Confirm,
    /// No.
    Cancel,
    /// Takes a redemption back.
    Reverse {
        /// Which.
        record: RecordId,
        /// Why.
        reason: ReversalReason,
    },
    /// Takes the last redemption back, within 15 s.
    Undo,
    /// An operator signs on.
    SignIn {
        /// Name on the pad.
        operator: String,
        /// Six digits.
        pin: String,
    },
    /// The operator leaves; records stay.
    SignOut,
    /// A later refusal or unclear grant was seen.
    Acknowledge(RecordId),
    /// The secrecy notice was read.
    AcceptNotice,
    /// Try to send at once.
    SendNow,
    /// Day's closing.
    CloseDay,
    /// Language of the interface, a two-letter code.
    Language(String),
    /// Enrolment: the first, for a further account, or anew.
    Activate {
        /// The activation code.
        code: String,
        /// PIN of the first administrator, six digits; where there is one already, that administrator's.
        admin_pin: Option<String>,
    },
    /// End the program in order.
    Stop,
}

impl std::fmt::Debug for OperatorCommand {
    /// The kind alone: numbers, codes and PINs never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ChooseOffer(_) => "ChooseOffer",
            Self::Scan { .. } => "Scan",
            Self::TypeNumber { .. } => "TypeNumber",
            Self::Open(_) => "Open",
            Self::Detail(_) => "Detail",
            Self::Again => "Again",
            Self::ServiceDate(_) => "ServiceDate",
            Self::Phase(_) => "Phase",
            Self::Event(_) => "Event",
            Self::NoShow => "NoShow",
            Self::ShowChallenge => "ShowChallenge",
            Self::Minutes(_) => "Minutes",
            Self::Months(_) => "Months",
            Self::Amount(_) => "Amount",
            Self::Confirm => "Confirm",
            Self::Cancel => "Cancel",
            Self::Reverse { .. } => "Reverse",
            Self::Undo => "Undo",
            Self::SignIn { .. } => "SignIn",
            Self::SignOut => "SignOut",
            Self::Acknowledge(_) => "Acknowledge",
            Self::AcceptNotice => "AcceptNotice",
            Self::SendNow => "SendNow",
            Self::CloseDay => "CloseDay",
            Self::Language(_) => "Language",
            Self::Activate { .. } => "Activate",
            Self::Stop => "Stop",
        })
    }
}
