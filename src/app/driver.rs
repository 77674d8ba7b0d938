//! The loop of the application: take an input, let the machine answer, do what it wants, show the picture.
//!
//! It never waits for an adapter: whatever takes time runs as a task of its own and comes back as an input. Everything
//! runs on one thread, so there is one order of events.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::atomic::Ordering, time::Duration};

use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::{enrol::Enrolling, forwarder, reader_thread::ReaderDesk, seal::Sealer, shared::Shared};
use crate::{
    adapters::sqlite::{CommitError, Journal, JournalError, StandingQuery},
    card::{code, context::BookingContext},
    domain::{
        ids::{OfferId, RecordId, TapId},
        reading::{Identified, ReadFailure},
        record::{Draft, Record},
        time::At,
    },
    profile::Moment,
    protocol::reference::card_ref,
    terminal::{
        Terminal,
        command::OperatorCommand,
        effect::{Chime, Effect, TimerToken},
        input::Input,
        screen::{BlockedBy, Screen},
    },
};

/// Where pictures and sounds go.
pub struct Face {
    /// Shows a picture that was made at this instant of the monotonic clock.
    pub show: Box<dyn FnMut(Duration, Screen) + Send>,
    /// Plays a sound.
    pub chime: Box<dyn FnMut(Chime) + Send>,
}

/// What the face says.
#[derive(Debug)]
pub enum FaceInput {
    /// A human asked something.
    Command(OperatorCommand),
    /// The picture with this result was drawn.
    Shown(RecordId),
}

/// The driver of one terminal.
pub struct Driver {
    terminal: Terminal,
    shared: Rc<Shared>,
    reader: ReaderDesk,
    face: Face,
    enrolling: Rc<RefCell<Enrolling>>,
    timers: BTreeSet<(Duration, TimerToken)>,
    last: Option<Screen>,
    stopping: bool,
}

impl Driver {
    /// Joins the parts; nothing happens before [`Driver::run`].
    pub fn new(terminal: Terminal, shared: Rc<Shared>, reader: ReaderDesk, face: Face) -> Self {
        Self {
            terminal,
            shared,
            reader,
            face,
            enrolling: Rc::default(),
            timers: BTreeSet::new(),
            last: None,
            stopping: false,
        }
    }

    /// Runs until the machine wants to stop. `results` are the inputs that must not be lost, `asked` what people want.
    pub async fn run(
        mut self,
        mut results: mpsc::UnboundedReceiver<Input>,
        mut asked: mpsc::Receiver<OperatorCommand>,
    ) -> ReaderDesk {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shared = Rc::clone(&self.shared);
        while !self.stopping {
            let due = self.timers.first().map(|(at, _)| at.saturating_sub(self.shared.clock.monotonic()));
            let input = tokio::select! {
                biased;
                // The service manager starts the program anew, and the outbox resumes (architecture, 8).
                () = shared.journal.gone() => break,
                Some(input) = results.recv() => input,
                () = tokio::time::sleep(due.unwrap_or(Duration::MAX)), if due.is_some() => match self.timers.pop_first() {
                    Some((_, token)) => Input::Elapsed { token },
                    None => continue,
                },
                Some(command) = asked.recv() => Input::Command(command),
                _ = tick.tick() => Input::Tick,
            };
            self.step(input);
        }
        self.reader
    }

    /// One input, all that follows from it at once, one picture.
    pub fn step(&mut self, input: Input) {
        let at = self.shared.moments.borrow_mut().at(&*self.shared.clock);
        if !matches!(input, Input::Tick) {
            debug!(?input, "input");
        }
        if let Input::Blocked(why) = &input {
            error!(code = why.code(), "out of service");
        }
        let effects = self.terminal.handle(&at, self.shared.mint(), input);
        for effect in effects {
            self.execute(&at, effect);
        }
        let at = self.shared.moments.borrow_mut().at(&*self.shared.clock);
        let screen = self.terminal.screen(&at);
        // Each refused command is answered, also the second one of two that are refused alike.
        if screen.refused_command.is_some() || self.last.as_ref() != Some(&screen) {
            (self.face.show)(at.monotonic, screen.clone());
            self.last = Some(screen);
        }
    }

    fn execute(&mut self, at: &At, effect: Effect) {
        match effect {
            Effect::ArmReader(armed) => self.reader.arm(armed),
            Effect::EndCard { tap } => self.reader.end(tap),
            Effect::Authenticate { tap, draft } => self.authenticate(tap, &draft),
            Effect::LoadStanding { tap, identified, account, offer, service_date } => {
                self.load_standing(at, tap, &identified, account, offer, service_date);
            }
            Effect::DecodeCode { tap, code, challenge } => self.decode_code(at, tap, &code, challenge.as_deref()),
            Effect::Commit(record) => self.commit(*record),
            Effect::LookUp(record) => self.look_up(record),
            Effect::MarkShown(record) => self.in_journal("mark shown", move |journal| journal.mark_shown(record)),
            Effect::Acknowledge(record) => {
                self.in_journal("acknowledge", move |journal| journal.acknowledge(record));
                self.refresh();
            }
            Effect::Note { refusal, offer, route } => {
                let (now, today, code) = (at.wall, at.today, refusal.code());
                self.in_journal("note", move |journal| journal.note(now, today, code, offer.as_ref(), route));
            }
            Effect::Chime(chime) => {
                self.reader.signal(moment(chime));
                (self.face.chime)(chime);
            }
            Effect::After { token, delay } => {
                self.timers.insert((at.monotonic + delay, token));
            }
            Effect::WakeForwarder { awaited } => self.wake(awaited),
            Effect::SendNow => {
                for link in self.shared.links.borrow().iter() {
                    link.hurry.set(true);
                    link.wake.notify_one();
                }
            }
            Effect::LoadRows(filter) => {
                let shared = Rc::clone(&self.shared);
                tokio::task::spawn_local(async move { shared.publish_rows(filter).await });
            }
            Effect::BeginActivation { code, admin_pin } => {
                Enrolling::begin(&self.enrolling, &self.shared, code, admin_pin);
            }
            Effect::ConfirmActivation => Enrolling::confirm(&self.enrolling, &self.shared),
            Effect::AbandonActivation => Enrolling::abandon(&self.enrolling, &self.shared),
            Effect::CheckPin { operator, pin } => super::sign_on::check(&self.shared, operator, pin),
            Effect::Alarm(why) => error!(code = why.code(), "alarm"),
            Effect::Stop => {
                info!("stopping in order");
                self.stopping = true;
            }
        }
    }

    fn in_journal<E: std::fmt::Display + From<JournalError> + Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Journal) -> Result<(), E> + Send + 'static,
    ) {
        let shared = Rc::clone(&self.shared);
        tokio::task::spawn_local(async move {
            if let Ok(Err(error)) = shared.journal.run(work).await {
                warn!(%error, what, "the journal did not take it");
            }
        });
    }

    fn refresh(&self) {
        let shared = Rc::clone(&self.shared);
        tokio::task::spawn_local(async move { shared.publish_outbox().await });
    }

    fn load_standing(
        &self,
        at: &At,
        tap: TapId,
        identified: &Identified,
        account: crate::domain::ids::AccountId,
        offer: Option<OfferId>,
        service_date: jiff::civil::Date,
    ) {
        let refs = self.shared.link(&account).map_or_else(Vec::new, |link| {
            let keys = link.reference_keys.borrow();
            // The list at hand may have been made with the key before the newest one.
            keys.iter().flat_map(|key| identified.identities.iter().map(|i| card_ref(key, i))).collect()
        });
        let (shared, at, route) = (Rc::clone(&self.shared), at.clone(), identified.route);
        tokio::task::spawn_local(async move {
            let asked = shared.journal.run(move |journal| {
                let (account, refs, offer) = (&account, refs.as_slice(), offer.as_ref());
                journal.standing(&StandingQuery { account, refs, offer, route, service_date, at: &at })
            });
            match asked.await {
                Ok(Ok(standing)) => shared.post(Input::StandingLoaded { tap, standing: Box::new(standing) }),
                Ok(Err(error)) => {
                    warn!(%error, "the journal could not be asked");
                    shared.post(Input::Blocked(blocked_by(&error)));
                }
                Err(_) => {}
            }
        });
    }

    fn authenticate(&self, tap: TapId, draft: &Draft) {
        let Some(link) = self.shared.link(&draft.account) else {
            self.reader.end(tap);
            return self.shared.post(Input::AuthenticationFailed { tap, failure: ReadFailure::Unsupported });
        };
        if link.is_production() && self.shared.practice.load(Ordering::Relaxed) {
            warn!("a virtual reader or workshop profile proves nothing to a production account");
            self.reader.end(tap);
            return self.shared.post(Input::AuthenticationFailed { tap, failure: ReadFailure::Unsupported });
        }
        let mut nonce = [0; 32];
        self.shared.entropy.fill(&mut nonce);
        let enrolment = link.enrolled.borrow().enrolment.clone();
        self.reader.authenticate(tap, BookingContext::of(draft, &enrolment, nonce, link.beacon.get()));
    }

    /// Verified on this thread: a code costs a few signatures, less than a trip to another thread is worth.
    fn decode_code(&self, at: &At, tap: TapId, text: &str, challenge: Option<&str>) {
        let trust = self.shared.trust.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(test) = code::self_test(text) {
            return self.shared.post(Input::ScannerTested { tap, test });
        }
        let failed = move |failure| Input::CodeFailed { tap, failure };
        match code::decode(text, &trust, at.floor, challenge) {
            Err(error) => self.shared.post(failed(error.failure())),
            Ok(code::Decoded { identified, evidence, replay }) => {
                let done =
                    Input::CodeIdentified { tap, identified: Box::new(identified), evidence: Box::new(evidence) };
                let Some(mark) = replay else { return self.shared.post(done) };
                let shared = Rc::clone(&self.shared);
                tokio::task::spawn_local(async move {
                    let fresh = shared
                        .journal
                        .run(move |journal| journal.use_code(&[&mark.cti[..], &mark.jti[..]].concat(), mark.until))
                        .await;
                    match fresh {
                        Ok(Ok(true)) => shared.post(done),
                        Ok(Ok(false)) => shared.post(failed(ReadFailure::CodeReplayed)),
                        Ok(Err(error)) => shared.post(Input::Blocked(blocked_by(&error))),
                        Err(_) => {}
                    }
                });
            }
        }
    }

    fn commit(&self, record: Record) {
        let (id, account) = (record.id, record.account.clone());
        let refused = move |blocked| Input::CommitFailed { record: id, blocked };
        let sealer = self.shared.link(&account).and_then(|link| Sealer::of(&link));
        let Some(sealer) = sealer else {
            warn!(record = %id, "no keys of the account yet; nothing can be sealed to it");
            return self.shared.post(refused(None));
        };
        let shared = Rc::clone(&self.shared);
        let trusted = record.clock.trusted.then_some(record.made_at);
        tokio::task::spawn_local(async move {
            let outcome = shared
                .journal
                .run(move |journal| journal.commit(&record, &mut |seq, prev| sealer.freeze(&record, seq, prev)))
                .await;
            match outcome {
                Ok(Ok(committed)) => {
                    shared.post(Input::Committed { record: id, seq: committed.seq });
                    if let Some(instant) = trusted {
                        shared.moments.borrow_mut().raise(instant);
                    }
                    let _ = shared.publish_outbox().await;
                }
                Ok(Err(error)) => {
                    error!(%error, record = %id, "a record could not be committed");
                    shared.post(refused(match &error {
                        CommitError::Journal(error) => Some(blocked_by(error)),
                        CommitError::Refused(_) | CommitError::Seal(_) => None,
                    }));
                }
                Err(_) => {}
            }
        });
    }

    fn look_up(&self, record: RecordId) {
        let shared = Rc::clone(&self.shared);
        tokio::task::spawn_local(async move {
            // The journal refuses every verb until it was opened again.
            if shared.journal.reopen().await.is_err() {
                return;
            }
            match shared.journal.run(move |journal| journal.look_up(record)).await {
                Ok(Ok(Some(found))) => {
                    shared.post(Input::Committed { record, seq: found.seq });
                    let _ = shared.publish_outbox().await;
                }
                Ok(Ok(None)) => {
                    shared.post(Input::CommitFailed { record, blocked: Some(BlockedBy::JournalDamaged) });
                }
                Ok(Err(error)) => shared.post(Input::CommitFailed { record, blocked: Some(blocked_by(&error)) }),
                Err(_) => {}
            }
        });
    }

    fn wake(&self, awaited: Option<(RecordId, Duration)>) {
        if let Some((record, wait)) = awaited {
            let shared = Rc::clone(&self.shared);
            tokio::task::spawn_local(async move {
                let Ok(Ok(Some(row))) = shared.journal.run(move |journal| journal.row(record)).await else { return };
                if let Some(link) = shared.link(&row.account) {
                    forwarder::send_awaited(link, Rc::clone(&shared), record, wait).await;
                }
            });
            return;
        }
        for link in self.shared.links.borrow().iter() {
            link.wake.notify_one();
        }
    }
}

/// What the reader itself shows with a sound of the terminal.
const fn moment(chime: Chime) -> Moment {
    match chime {
        Chime::Tick => Moment::Wait,
        Chime::Yes => Moment::Accept,
        Chime::Already | Chime::No | Chime::Again => Moment::Reject,
    }
}

/// What a journal that fails means for the terminal.
#[must_use]
pub fn blocked_by(error: &JournalError) -> BlockedBy {
    match error {
        JournalError::Full | JournalError::ReadOnly | JournalError::Denied => BlockedBy::DiskFull,
        JournalError::WrongKey => BlockedBy::WrongKey,
        JournalError::Schema { .. } => BlockedBy::SchemaTooNew,
        JournalError::OtherInstance => BlockedBy::OtherInstance,
        _ => BlockedBy::JournalDamaged,
    }
}
