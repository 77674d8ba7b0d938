//! Level 2: the machine of the terminal, sans-I/O. One input, a list of effects and a picture.
//!
//! Order inside: `command`, `screen` → `input`, `effect` → `phase` → one file per subject (`tap`, `typed`, `booking`,
//! `reversal`, `sign_on`, `operator`) → `picture`. The subjects are parts of one machine and share its state; the split
//! is by what happened. Phases and transitions: the table at the head of `phase.rs`.

mod booking;
pub mod command;
pub mod effect;
pub mod input;
mod operator;
mod phase;
mod picture;
mod reversal;
pub mod screen;
mod sign_on;
mod tap;
mod typed;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use self::{
    command::CommandRefusal,
    effect::{Effect, TimerToken},
    input::{AccountHealth, AccountView, Input},
    phase::{Held, Outcome, Owed, Phase, Wake},
    reversal::{Aside, LastGrant},
    screen::{BlockedBy, Place, ReaderState, Row, ScannerState, Screen, Waiting},
};
use crate::domain::{
    claim::Selection,
    ids::{AccountId, OfferId, OperatorId, RecordId, TapId},
    reading::{Identified, ScannerTest},
    record::Draft,
    time::At,
};

/// How long each thing takes or stands (user-interface, 2; architecture, 6).
mod span {
    use std::time::Duration;

    /// Documents of a new account may take this long to arrive before the terminal goes on without them.
    pub const PREPARING: Duration = Duration::from_secs(15);
    /// A reading takes long: say so.
    pub const HINT: Duration = Duration::from_millis(1500);
    /// A reading has failed.
    pub const FAIL: Duration = Duration::from_secs(8);
    /// A booking on a lane.
    pub const BOOKED: Duration = Duration::from_secs(4);
    /// A booking at a counter or on a tablet, where a receipt may be wanted.
    pub const BOOKED_AT_DESK: Duration = Duration::from_secs(8);
    /// Already today.
    pub const ALREADY: Duration = Duration::from_secs(6);
    /// Not possible.
    pub const REFUSED: Duration = Duration::from_secs(15);
    /// A choice between offers.
    pub const CHOICE: Duration = Duration::from_secs(20);
    /// A phone whose holder must choose a child.
    pub const CHOOSE_CHILD: Duration = Duration::from_secs(20);
    /// A question before a booking by number or code.
    pub const QUESTION: Duration = Duration::from_secs(90);
    /// A draft whose card was pulled before it signed.
    pub const KEPT: Duration = Duration::from_secs(30);
    /// The same card shows its own result again.
    pub const SAME_CARD: Duration = Duration::from_secs(3);
    /// A booking may be taken back by one touch.
    pub const UNDO: Duration = Duration::from_secs(15);
    /// A green sign without a receipt turns into "will be sent".
    pub const RECEIPT: Duration = Duration::from_secs(1);
    /// A held card waits at most this long for the picture before it.
    pub const RESUME: Duration = Duration::from_millis(300);
    /// After a technical fault, a number or code is taken as its substitute.
    pub const FAULT: Duration = Duration::from_mins(2);
    /// Refused numbers are counted over this time.
    pub const GUESSES: Duration = Duration::from_mins(10);
}

/// Refused numbers within [`span::GUESSES`] after which the pad takes no more; the account's limits are the real ones.
const MOST_GUESSES: usize = 20;

/// What is fixed for this terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where it stands.
    pub place: Place,
    /// The offer that is chosen from the start.
    pub preset: Option<OfferId>,
    /// Operators sign on; else everything is done as `unattended`.
    pub sign_on: bool,
    /// Language of the interface, a two-letter code.
    pub language: String,
    /// An operator who does nothing is signed off after this time.
    pub lock_after: Option<Duration>,
}

/// The reader as last told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reader {
    state: ReaderState,
    name: Option<String>,
    simulated: bool,
    advice: BTreeMap<String, String>,
}

/// The scanner as last told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Scanner {
    /// `None` where none belongs to the terminal alone.
    state: Option<ScannerState>,
    test: Option<ScannerTest>,
}

/// What the journal last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Books {
    waiting: Waiting,
    rows: Vec<Row>,
    today: BTreeMap<OfferId, u32>,
    later_refusals: u32,
}

/// A draft whose card was pulled before it signed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    owed: Owed,
    until: Duration,
}

/// A result whose card may bounce.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recent {
    identified: Identified,
    until: Duration,
    phase: Phase,
    /// The booking that the card signed. Whoever names the same card must sign it again to see it again: a copy names it
    /// too (card-application 1.6, "no fallback").
    signed: Option<Box<Draft>>,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Terminal {
    setup: Setup,
    phase: Phase,
    /// Why the terminal is out of service; stands while an administrator activates it anew.
    blocked: Option<BlockedBy>,
    language: String,
    reader: Reader,
    /// Profiles that are disabled, for the service page.
    disabled_profiles: Vec<String>,
    scanner: Scanner,
    accounts: BTreeMap<AccountId, AccountView>,
    health: BTreeMap<AccountId, AccountHealth>,
    operator: Option<OperatorId>,
    last_activity: Duration,
    /// Newest notice version of each account each operator confirmed.
    notices: BTreeMap<(AccountId, OperatorId), u32>,
    /// Until when catalogue and card list are waited for, monotonic.
    prepare_until: Option<Duration>,
    /// They are there, or were waited for long enough; nobody waits again in this run.
    waited_for_documents: bool,
    selection: Selection,
    challenge: Option<String>,
    books: Books,
    /// Grants whose green was never shown (R7), oldest first.
    unclear: Vec<Row>,
    kept: Option<Kept>,
    held: Option<Held>,
    recent: Vec<Recent>,
    last_grant: Option<LastGrant>,
    /// Records with a reversal made in this run: none gets a second.
    reversed: BTreeSet<RecordId>,
    /// Records beside the tap that are being committed.
    aside: BTreeMap<RecordId, Aside>,
    /// Results on disk whose picture was not seen yet.
    unshown: BTreeSet<RecordId>,
    /// A technical fault stands until then.
    fault_until: Option<Duration>,
    /// When numbers were refused.
    guesses: Vec<Duration>,
    /// The reading takes longer than usual.
    slow: bool,
    armed: bool,
    timers: BTreeMap<TimerToken, Wake>,
    last_token: u64,
    refused: Option<CommandRefusal>,
}

/// One input being handled.
struct Step<'a> {
    at: &'a At,
    /// An id nobody has used: for at most one record or tap that this input gives rise to.
    fresh: RecordId,
    effects: Vec<Effect>,
}

impl Step<'_> {
    fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn now(&self) -> Duration {
        self.at.monotonic
    }
}

impl Terminal {
    /// A terminal that waits for its journal.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            phase: Phase::Starting,
            blocked: None,
            language: setup.language.clone(),
            reader: Reader { state: ReaderState::Starting, name: None, simulated: false, advice: BTreeMap::new() },
            disabled_profiles: Vec::new(),
            scanner: Scanner::default(),
            accounts: BTreeMap::new(),
            health: BTreeMap::new(),
            operator: None,
            last_activity: Duration::ZERO,
            notices: BTreeMap::new(),
            prepare_until: None,
            waited_for_documents: false,
            selection: Selection { offer: setup.preset.clone(), ..Selection::default() },
            challenge: None,
            books: Books::default(),
            unclear: Vec::new(),
            kept: None,
            held: None,
            recent: Vec::new(),
            last_grant: None,
            reversed: BTreeSet::new(),
            aside: BTreeMap::new(),
            unshown: BTreeSet::new(),
            fault_until: None,
            guesses: Vec::new(),
            slow: false,
            armed: false,
            timers: BTreeMap::new(),
            last_token: 0,
            refused: None,
            setup,
        }
    }

    /// Takes one input and says what is wanted now. `fresh` is an id minted for this input; whatever record or tap the
    /// input gives rise to (a reversal, a typed number) has it.
    #[must_use = "effects that are not done are lost"]
    pub fn handle(&mut self, at: &At, fresh: RecordId, input: Input) -> Vec<Effect> {
        let mut step = Step { at, fresh, effects: Vec::new() };
        self.refused = None;
        self.take(&mut step, input);
        let armed = self.phase.arms_reader();
        if armed != self.armed {
            self.armed = armed;
            step.push(Effect::ArmReader(armed));
        }
        step.effects
    }

    /// The picture as it is now.
    #[must_use]
    pub fn screen(&self, at: &At) -> Screen {
        self.draw(at)
    }

    fn take(&mut self, step: &mut Step, input: Input) {
        match input {
            Input::Started(state) => self.started(step, *state),
            Input::Blocked(why) => self.close(step, why),
            Input::Account(view) => self.account_changed(step, *view),
            Input::AccountHealth(health) => {
                self.health.insert(health.account.clone(), health);
            }
            Input::Reader { state, name, simulated, advice } => {
                self.reader = Reader { state, name, simulated, advice };
            }
            Input::DisabledProfiles(profiles) => self.disabled_profiles = profiles,
            Input::Command(command) => match self.command(step, command) {
                Ok(()) => self.last_activity = step.now(),
                Err(refusal) => self.refused = Some(refusal),
            },
            Input::CardPresented { tap } => self.card_presented(step, tap),
            Input::CardIdentified { tap, identified } => self.card_identified(step, tap, identified),
            Input::CardFailed { tap, failure } => self.card_failed(step, tap, failure),
            Input::CardRemoved { tap } => self.card_removed(step, tap),
            Input::Authenticated { tap, evidence } => self.authenticated(step, tap, *evidence),
            Input::AuthenticationFailed { tap, failure } => self.authentication_failed(step, tap, failure),
            Input::CodeIdentified { tap, identified, evidence } => {
                self.code_identified(step, tap, *identified, *evidence);
            }
            Input::CodeFailed { tap, failure } => self.code_failed(step, tap, failure),
            Input::ScannerTested { tap, test } => self.scanner_tested(step, tap, test),
            Input::Scanner { state } => self.scanner.state = Some(state),
            Input::StandingLoaded { tap, standing } => self.standing_loaded(step, tap, &standing),
            Input::Committed { record, .. } => {
                self.books.waiting.one_more();
                self.committed(step, record);
            }
            Input::CommitFailed { record, blocked } => self.commit_failed(step, record, blocked),
            Input::Judged { record, outcome } => self.judged(step, record, outcome),
            Input::OutboxChanged { waiting, rows, today, later_refusals } => {
                self.books_changed(step, Books { waiting, rows, today, later_refusals });
            }
            Input::RowsLoaded { filter, rows } => self.rows_loaded(filter, rows),
            Input::Shown { record } => self.shown(step, record),
            Input::Elapsed { token } => self.elapsed(step, token),
            Input::ActivationOffered { host, municipality } => self.activation_offered(host, municipality),
            Input::ActivationPending { fingerprint } => self.activation_pending(fingerprint),
            Input::ActivationFailed { code } => self.activation_failed(code),
            Input::SignedIn { operator } => self.signed_in(step, operator),
            Input::SignInFailed { tries_left, locked_s } => self.sign_in_failed(step, tries_left, locked_s),
            Input::Tick => self.tick(step),
        }
    }

    /// Goes to another phase; the timers of the one before are stale from here on. The hint that a reading takes long
    /// runs through all phases of the reading.
    fn enter(&mut self, phase: Phase) {
        let reading = phase.is_reading();
        self.timers.retain(|_, wake| reading && *wake == Wake::Hint);
        self.phase = phase;
    }

    /// Takes the phase apart if it is the one meant; the caller enters its successor, so what stands in between is never
    /// seen.
    fn leave_if(&mut self, meant: impl FnOnce(&Phase) -> bool) -> Option<Phase> {
        meant(&self.phase).then(|| std::mem::replace(&mut self.phase, Phase::Starting))
    }

    fn wake(&mut self, step: &mut Step, wake: Wake, delay: Duration) {
        self.last_token += 1;
        let token = TimerToken(self.last_token);
        self.timers.insert(token, wake);
        step.push(Effect::After { token, delay });
    }

    fn elapsed(&mut self, step: &mut Step, token: TimerToken) {
        let Some(wake) = self.timers.remove(&token) else { return };
        match wake {
            Wake::Hint => self.slow = true,
            Wake::Fail => self.card_silent(step),
            Wake::Receipt => self.receipt_missing(),
            Wake::Answer => self.answer_missing(step),
            Wake::Resume => self.resume(step),
            Wake::Prepared => self.prepared(step),
            Wake::Display | Wake::Choice | Wake::Question | Wake::ChooseChild => self.go_home(step),
        }
    }

    /// Out of service: only a restart leads out, or a new activation where another identity is the cure.
    fn close(&mut self, step: &mut Step, why: BlockedBy) {
        if matches!(self.phase, Phase::OutOfService(_)) {
            return;
        }
        if let Some(tap) = self.card_in_hand() {
            step.push(Effect::EndCard { tap });
        }
        if let Some(held) = self.held.take() {
            step.push(Effect::EndCard { tap: held.tap });
        }
        self.kept = None;
        self.blocked = Some(why);
        self.enter(Phase::OutOfService(why));
        step.push(Effect::Alarm(why));
    }

    /// The card whose transaction is open.
    fn card_in_hand(&self) -> Option<TapId> {
        match &self.phase {
            Phase::Reading { tap, by_code: false } => Some(*tap),
            Phase::Deciding(claim) if claim.by_card() => Some(claim.tap),
            Phase::Authenticating(owed) => Some(owed.claim.tap),
            _ => None,
        }
    }

    fn operator(&self) -> OperatorId {
        self.operator.clone().unwrap_or_else(OperatorId::unattended)
    }

    /// Shows a finished tap for a while; a card that was held meanwhile goes on after the picture was seen.
    fn present(
        &mut self,
        step: &mut Step,
        phase: fn(Box<Outcome>) -> Phase,
        outcome: Outcome,
        display: Option<Duration>,
    ) {
        self.enter(phase(Box::new(outcome)));
        if let Some(display) = display {
            self.wake(step, Wake::Display, display);
        }
        if self.held.is_some() {
            self.wake(step, Wake::Resume, span::RESUME);
        }
    }
}
