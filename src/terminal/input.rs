//! Everything that can happen, as one closed list. Failures are already reduced to words of the trade.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    command::OperatorCommand,
    effect::{RowFilter, TimerToken},
    screen::{AccountState, BlockedBy, ReaderState, Row, ScannerState, Waiting},
};
use crate::domain::{
    delivery::Outcome,
    documents::{AccountDescriptor, TerminalStanding},
    ids::{AccountId, OfferId, OperatorId, RecordId, TapId},
    offer::Catalogue,
    reading::{Evidence, Identified, ReadFailure, ScannerTest},
    record::Enrolment,
    standing::Standing,
};

/// What the journal held at the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartState {
    /// Grants whose green was never shown, oldest first, each in [`super::screen::RowState::Unclear`].
    pub never_shown: Vec<Row>,
    /// Last bookings, newest first.
    pub rows: Vec<Row>,
    /// Net redemptions of today per offer.
    pub today: BTreeMap<OfferId, u32>,
    /// What waits.
    pub waiting: Waiting,
    /// Later refusals nobody acknowledged.
    pub later_refusals: u32,
    /// Newest notice version of each account that each operator confirmed.
    pub notices: BTreeMap<(AccountId, OperatorId), u32>,
}

/// Everything one account says about itself that decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Who we are there.
    pub enrolment: Enrolment,
    /// Its descriptor.
    pub descriptor: AccountDescriptor,
    /// Its catalogue, if one has arrived and not lapsed for good.
    pub catalogue: Option<Catalogue>,
    /// How it regards us.
    pub standing: TerminalStanding,
    /// It knows other records under our numbers: a copy of this terminal exists.
    pub forked: bool,
    /// A card list of it is at hand, or none is to be had for now.
    pub card_list: bool,
    /// Name of the site for people.
    pub site_name: String,
}

/// Health of the connection to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHealth {
    /// The account.
    pub account: AccountId,
    /// State for the pill.
    pub state: AccountState,
    /// Last successful exchange.
    pub last_success: Option<Timestamp>,
    /// Last error code.
    pub last_error: Option<String>,
    /// When the next try is planned.
    pub next_try: Option<Timestamp>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The journal is open. Every stored enrolment was told before this by [`Input::Account`].
    Started(Box<StartState>),
    /// The terminal cannot go on.
    Blocked(BlockedBy),
    /// An account was enrolled or its documents changed. Replaces the earlier view of the same account.
    Account(Box<AccountView>),
    /// The connection to an account changed.
    AccountHealth(AccountHealth),
    /// The reader changed.
    Reader {
        /// State.
        state: ReaderState,
        /// Name for people.
        name: Option<String>,
        /// No real card can come from it.
        simulated: bool,
        /// What its profile tells people to do about this state, by language; empty if nothing.
        advice: BTreeMap<String, String>,
    },
    /// Profiles that are disabled, each as file, line, key and code.
    DisabledProfiles(Vec<String>),
    /// A human asked something.
    Command(OperatorCommand),
    /// A card lies there; its reading runs.
    CardPresented {
        /// This presence.
        tap: TapId,
    },
    /// It said who it is and waits inside its transaction.
    CardIdentified {
        /// The presence.
        tap: TapId,
        /// Who.
        identified: Box<Identified>,
    },
    /// It said nothing of use.
    CardFailed {
        /// The presence.
        tap: TapId,
        /// Why.
        failure: ReadFailure,
    },
    /// The field is empty.
    CardRemoved {
        /// The presence that ended.
        tap: TapId,
    },
    /// The card signed the booking.
    Authenticated {
        /// The presence.
        tap: TapId,
        /// The proof.
        evidence: Box<Evidence>,
    },
    /// It did not.
    AuthenticationFailed {
        /// The presence.
        tap: TapId,
        /// Why.
        failure: ReadFailure,
    },
    /// A code was decoded and verified.
    CodeIdentified {
        /// Minted when it was scanned.
        tap: TapId,
        /// Who.
        identified: Box<Identified>,
        /// Its proof.
        evidence: Box<Evidence>,
    },
    /// A code was not one of ours.
    CodeFailed {
        /// Minted when it was scanned.
        tap: TapId,
        /// Why.
        failure: ReadFailure,
    },
    /// A code was the scanner's self-test.
    ScannerTested {
        /// Minted when it was scanned.
        tap: TapId,
        /// What it came out as.
        test: ScannerTest,
    },
    /// The scanner changed; told only where one belongs to the terminal alone.
    Scanner {
        /// State.
        state: ScannerState,
    },
    /// What is known beyond the card.
    StandingLoaded {
        /// The tap that asked.
        tap: TapId,
        /// It.
        standing: Box<Standing>,
    },
    /// On disk, synced, witnessed.
    Committed {
        /// The record.
        record: RecordId,
        /// Its sequence.
        seq: u64,
    },
    /// Not, or not surely, on disk.
    CommitFailed {
        /// The record.
        record: RecordId,
        /// Why the terminal stops; `None` if the journal refused this one record and goes on.
        blocked: Option<BlockedBy>,
    },
    /// The account judged a record.
    Judged {
        /// The record.
        record: RecordId,
        /// How.
        outcome: Outcome,
    },
    /// Lists and counts after a change of the outbox.
    OutboxChanged {
        /// What waits.
        waiting: Waiting,
        /// Last bookings, newest first.
        rows: Vec<Row>,
        /// Net redemptions of today per offer.
        today: BTreeMap<OfferId, u32>,
        /// Later refusals nobody acknowledged.
        later_refusals: u32,
    },
    /// Rows for an open list.
    RowsLoaded {
        /// What was asked for.
        filter: RowFilter,
        /// Them.
        rows: Vec<Row>,
    },
    /// The picture with this result was drawn.
    Shown {
        /// The record it showed.
        record: RecordId,
    },
    /// A timer ran out.
    Elapsed {
        /// Which.
        token: TimerToken,
    },
    /// Enrolment: the server showed who it is.
    ActivationOffered {
        /// Host and port.
        host: String,
        /// The municipality.
        municipality: String,
    },
    /// Enrolment: approval pending.
    ActivationPending {
        /// Fingerprint of the key.
        fingerprint: String,
    },
    /// Enrolment failed.
    ActivationFailed {
        /// A stable code.
        code: String,
    },
    /// A PIN was right.
    SignedIn {
        /// Who.
        operator: OperatorId,
    },
    /// A PIN was wrong.
    SignInFailed {
        /// Attempts left.
        tries_left: u8,
        /// Seconds until the next attempt is taken.
        locked_s: Option<u32>,
    },
    /// A second passed: ages and clock are drawn again.
    Tick,
}
