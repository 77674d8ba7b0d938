//! The complete picture as plain data. No text for people: kinds, codes and values; a face finds the words.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

pub use crate::domain::booking::BookingState as RowState;
use crate::domain::{
    amount::{Cents, Quantity, Unit},
    ids::{AccountId, OfferId, RecordId, Tag, TapId},
    reading::Route,
    record::ReversalReason,
};

/// How a tap ended, for eye and ear (user-interface, 2). R7 is not among them: no tap ends so; it is a row that somebody
/// must look at ([`RowState::Unclear`]) and a mark in the status bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultClass {
    /// Booked.
    R1,
    /// Booked, will be sent later.
    R2,
    /// Already today.
    R3,
    /// Not possible.
    R4,
    /// Read again.
    R5,
    /// Two cards.
    R6,
    /// Terminal blocked.
    R8,
}

impl ResultClass {
    /// `R1` to `R6`, `R8`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::R5 => "R5",
            Self::R6 => "R6",
            Self::R8 => "R8",
        }
    }
}

/// Where the terminal stands: decides layout, sign-on, whether a typed number asks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A queue.
    Lane,
    /// A desk.
    Counter,
    /// In the hand.
    Tablet,
}

/// The reader, for its pill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReaderState {
    /// Not looked for yet.
    Starting,
    /// Ready for cards.
    Ready,
    /// No reader is plugged in.
    Missing,
    /// The smart-card service is not there.
    ServiceMissing,
    /// The system denies access.
    Denied,
    /// A call hangs; unplug and plug the reader.
    Stuck,
    /// Another program uses it.
    Busy,
    /// A known reader that cannot be used, or two profiles fit alike.
    Unsupported,
}

impl ReaderState {
    /// The word in JSON and run book.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::ServiceMissing => "service_missing",
            Self::Denied => "denied",
            Self::Stuck => "stuck",
            Self::Busy => "busy",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A scanner that belongs to the terminal alone, for the service page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScannerState {
    /// It is heard.
    Ready,
    /// It is not plugged in.
    Missing,
    /// The system denies access.
    Denied,
    /// It fails; it is opened again and again.
    Failed,
}

impl ScannerState {
    /// The word in JSON and run book.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// The central account, for its pill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountState {
    /// No account is enrolled.
    None,
    /// Nothing was tried yet.
    Starting,
    /// The last exchange succeeded.
    Connected,
    /// No answer; taps go on.
    Unreachable,
    /// An answer, but from the wrong place or with a wrong certificate.
    WrongPlace,
    /// The certificate is refused.
    Credentials,
    /// The account suspended this terminal.
    Suspended,
    /// The account revoked this terminal.
    Revoked,
}

impl AccountState {
    /// The word in JSON and run book.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Unreachable => "unreachable",
            Self::WrongPlace => "wrong_place",
            Self::Credentials => "credentials",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// What waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Records without a final answer.
    pub records: u32,
    /// Age of the oldest, seconds; `None` if nothing waits.
    pub oldest_s: Option<u32>,
}

impl Waiting {
    /// A record was committed just now. The journal's own count follows; a picture of the booking must not come before it
    /// and say that nothing waits.
    pub(super) fn one_more(&mut self) {
        self.records += 1;
        self.oldest_s.get_or_insert(0);
    }
}

/// The status bar: the same on every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusBar {
    /// Where this is, as the account names it.
    pub site: String,
    /// Local day.
    pub today: Date,
    /// Local time, minutes since midnight.
    pub minute_of_day: u16,
    /// The reader.
    pub reader: ReaderState,
    /// Its name for people, if known.
    pub reader_name: Option<String>,
    /// What its profile tells people to do about its state, by language; empty if nothing.
    pub reader_advice: BTreeMap<String, String>,
    /// The account.
    pub account: AccountState,
    /// Seconds since the last successful exchange.
    pub last_success_s: Option<u32>,
    /// What waits.
    pub waiting: Waiting,
    /// Later refusals that nobody acknowledged.
    pub later_refusals: u32,
    /// Grants whose green was never shown.
    pub unclear: Vec<RecordId>,
    /// The clock is suspect.
    pub clock_suspect: bool,
    /// A soft limit is near.
    pub near_limit: bool,
    /// Simulated reader or training account: a banner on every page.
    pub practice: bool,
    /// Language of the interface.
    pub language: String,
}

/// One booking in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub record: RecordId,
    /// The account it is owed to.
    pub account: AccountId,
    /// Local time of the tap.
    pub tapped_at: DateTime,
    /// Day of the service.
    pub service_date: Date,
    /// What.
    pub offer: OfferId,
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// Last four of the card, while the local index still has it.
    pub tag: Option<Tag>,
    /// By which way.
    pub route: Route,
    /// State.
    pub state: RowState,
    /// Reason of a later refusal.
    pub reason: Option<String>,
    /// Taken back because of.
    pub reversal: Option<ReversalReason>,
    /// Sending attempts so far.
    pub attempts: u32,
    /// Seconds until the next try; `None` if none is planned.
    pub next_try_s: Option<u32>,
    /// Last error code of sending.
    pub last_error: Option<String>,
}

/// An offer as staff choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferKey {
    /// The offer.
    pub id: OfferId,
    /// Title by language.
    pub title: BTreeMap<String, String>,
    /// Unit.
    pub unit: Unit,
    /// Price of one unit.
    pub price: Cents,
    /// Redeemed today, net of reversals.
    pub today: u32,
    /// May be claimed.
    pub released: bool,
}

/// An account as staff choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKey {
    /// The account.
    pub id: AccountId,
    /// Its municipality, as its descriptor names it.
    pub municipality: String,
}

/// Steps of the first enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivationStep {
    /// Waits for a code.
    Code {
        /// Why the last one was not taken: a stable code.
        problem: Option<String>,
    },
    /// Asks the server.
    Checking,
    /// Shows host and municipality, waits for `confirm`.
    Confirm {
        /// Host and port.
        host: String,
        /// `O` of the root certificate.
        municipality: String,
    },
    /// Approval pending; both sides show the same eight characters.
    Pending {
        /// Fingerprint of the key.
        fingerprint: String,
    },
}

/// What `undo` would take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Its record; none for a neutral card.
    pub record: Option<RecordId>,
    /// Last four of its card.
    pub tag: Option<Tag>,
}

/// A finished tap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TapResult {
    /// The class; none for a finished reversal.
    pub class: Option<ResultClass>,
    /// The tap.
    pub tap: Option<TapId>,
    /// Its record, if it made one; none for a neutral card.
    pub record: Option<RecordId>,
    /// What.
    pub offer: Option<OfferId>,
    /// Cents.
    pub amount: Option<Cents>,
    /// Last four.
    pub tag: Option<Tag>,
    /// Reason code of R3 to R6, or `reversed`.
    pub reason: Option<String>,
    /// Local time of the earlier redemption for R3, minutes since midnight.
    pub earlier_minute: Option<u16>,
    /// `again` would be taken.
    pub second_helping: bool,
    /// `undo` would be taken.
    pub can_undo: bool,
    /// Serve and note on paper: a technical fault of an offer that serves at faults.
    pub serve_on_paper: bool,
}

/// Why the terminal is blocked; each is an entry of the run book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockedBy {
    /// The journal is damaged; the file was set aside.
    JournalDamaged,
    /// The disk is full or read-only.
    DiskFull,
    /// The key does not fit the journal.
    WrongKey,
    /// The journal was written by a newer program.
    SchemaTooNew,
    /// Another instance holds the data directory.
    OtherInstance,
    /// The account's head does not fit ours: a copy of this terminal exists.
    Fork,
    /// The account revoked this terminal.
    Revoked,
    /// The key that proves this terminal to its account is missing or unusable.
    KeyMissing,
    /// Root, certificate or first documents of its account are unusable.
    AccountUnusable,
}

impl BlockedBy {
    /// All, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::JournalDamaged,
        Self::DiskFull,
        Self::WrongKey,
        Self::SchemaTooNew,
        Self::OtherInstance,
        Self::Fork,
        Self::Revoked,
        Self::KeyMissing,
        Self::AccountUnusable,
    ];

    /// A new activation leads out of it: the terminal gets another identity, and what it owes is brought again under that.
    #[must_use]
    pub const fn ends_with_activation(self) -> bool {
        matches!(self, Self::Fork | Self::Revoked | Self::KeyMissing | Self::AccountUnusable)
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::JournalDamaged => "journal_damaged",
            Self::DiskFull => "disk_full",
            Self::WrongKey => "wrong_key",
            Self::SchemaTooNew => "schema_too_new",
            Self::OtherInstance => "other_instance",
            Self::Fork => "fork",
            Self::Revoked => "revoked",
            Self::KeyMissing => "key_missing",
            Self::AccountUnusable => "account_unusable",
        }
    }
}

/// What the page shows beyond the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Self-test.
    Starting,
    /// First enrolment.
    Activation(ActivationStep),
    /// Sign-on.
    SignOn {
        /// Attempts left after a wrong PIN.
        tries_left: Option<u8>,
        /// Seconds until it may be tried again.
        locked_s: Option<u32>,
    },
    /// Secrecy notice to confirm.
    Notice {
        /// Text by language.
        text: BTreeMap<String, String>,
        /// Version.
        version: u32,
    },
    /// Card, code or number, please.
    Ready {
        /// A phone waits for its holder: reason `choose_child`.
        choose_child: bool,
    },
    /// A card lies there.
    Reading {
        /// It takes longer than 1.5 s.
        slow: bool,
    },
    /// Several offers fit.
    Choose {
        /// Which.
        offers: Vec<OfferId>,
    },
    /// A question before a booking by number or code.
    Confirm {
        /// What.
        offer: OfferId,
        /// How much.
        quantity: Quantity,
        /// Cents.
        amount: Cents,
        /// Last four.
        tag: Option<Tag>,
    },
    /// Waits for the account's answer.
    Waiting {
        /// What.
        offer: OfferId,
    },
    /// A finished tap.
    Result(TapResult),
    /// Number pad.
    Number {
        /// Why the last number was not taken.
        problem: Option<String>,
        /// Accounts to choose from where prefixes do not tell.
        accounts: Vec<AccountKey>,
    },
    /// Last bookings, newest first.
    LastBookings(Vec<Row>),
    /// One booking.
    Detail(Box<Row>),
    /// What waits, oldest first.
    Queue {
        /// Rows.
        rows: Vec<Row>,
        /// Last error of the whole queue: a stable code.
        last_error: Option<String>,
        /// Seconds until the next try.
        next_try_s: Option<u32>,
    },
    /// Refused afterwards.
    LaterRefusals(Vec<Row>),
    /// Language and view.
    View,
    /// Service page: label codes and values.
    Service(Vec<(String, String)>),
    /// Version and licences.
    About,
    /// R8.
    OutOfService(BlockedBy),
}

impl Page {
    /// The name in JSON (command-line page).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Activation(_) => "activation",
            Self::SignOn { .. } => "sign_on",
            Self::Notice { .. } => "notice",
            Self::Ready { .. } => "ready",
            Self::Reading { .. } => "reading",
            Self::Choose { .. } => "choose",
            Self::Confirm { .. } => "confirm",
            Self::Waiting { .. } => "waiting",
            Self::Result(_) => "result",
            Self::Number { .. } => "number",
            Self::LastBookings(_) => "last_bookings",
            Self::Detail(_) => "detail",
            Self::Queue { .. } => "queue",
            Self::LaterRefusals(_) => "later_refusals",
            Self::View => "view",
            Self::Service(_) => "service",
            Self::About => "about",
            Self::OutOfService(_) => "out_of_service",
        }
    }
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// The page.
    pub page: Page,
    /// The bar above it.
    pub status: StatusBar,
    /// Where the terminal stands.
    pub place: Place,
    /// Offers that can be chosen, in catalogue order.
    pub offers: Vec<OfferKey>,
    /// The offer the next tap claims.
    pub chosen: Option<OfferId>,
    /// A service date other than today.
    pub service_date: Option<Date>,
    /// The last five bookings, newest first.
    pub last: Vec<Row>,
    /// Six digits to type into the app.
    pub challenge: Option<String>,
    /// The reader takes the next card although a result still stands.
    pub armed: bool,
    /// `undo` would be taken: for 15 s after a booking, whatever stands on the page by then.
    pub undo: Option<Undo>,
    /// Somebody has signed on.
    pub signed_on: bool,
    /// A command was refused: its code; stands until the next input.
    pub refused_command: Option<String>,
}
