//! Level 4: threads, channels, order. [`start`] joins journal, reader, machine and accounts; what is outside comes in
//! through [`Parts`].

pub mod config;
pub mod driver;
mod enrol;
mod forwarder;
pub mod inquiry;
mod journal_thread;
pub mod limits;
mod link;
mod moment;
pub mod profile_folder;
mod profiles;
pub mod reader_thread;
mod refile;
pub mod scanner_thread;
mod seal;
mod shared;
mod sign_on;
pub mod telemetry;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
    thread::{Builder, JoinHandle},
};

use jiff::Timestamp;
use tokio::{sync::mpsc, task::LocalSet};
use tracing::{error, info, warn};

use self::{
    config::Config,
    driver::{Driver, Face, FaceInput},
    enrol::Remembered,
    journal_thread::{JournalDesk, JournalGone, Reopen},
    moment::Moments,
    profiles::Profiles,
    reader_thread::{ReaderDesk, ReaderParts},
    scanner_thread::{ScannerDesk, ScannerParts},
    shared::Shared,
};
use crate::{
    adapters::sqlite::{Journal, JournalError, ScrubPosition},
    card::trust::Trust,
    domain::ids::OfferId,
    ports::{
        CardReaderFactory, CentralAccounts, Clock, Enrolled, Entropy, KeptDocument, PinHash, ScannerFactory,
        SecretStore,
    },
    profile::{ProfileCatalog, ProfileText},
    terminal::{
        Setup, Terminal,
        command::OperatorCommand,
        input::{Input, StartState},
        screen::BlockedBy,
    },
};

/// Everything outside that the terminal stands on.
pub struct Parts {
    /// The configuration in force.
    pub config: Config,
    /// The open journal.
    pub journal: Journal,
    /// Opens it again where it is not known what lies on the disk.
    pub reopen: Reopen,
    /// Small secrets.
    pub secrets: Box<dyn SecretStore>,
    /// PINs.
    pub pins: Arc<dyn PinHash>,
    /// Readers.
    pub readers: Arc<dyn CardReaderFactory>,
    /// The scanner, if one belongs to the terminal alone.
    pub scanner: Option<Arc<dyn ScannerFactory>>,
    /// Files of the workshop, which count only where no account is a production account.
    pub local_profiles: Vec<ProfileText>,
    /// Ways to central accounts; told the time floor in unix seconds.
    pub central: Box<dyn FnOnce(Arc<AtomicU64>) -> Box<dyn CentralAccounts> + Send>,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Pictures and sounds.
    pub face: Face,
}

/// A terminal that runs on threads of its own.
pub struct Running {
    faces: FaceSender,
    thread: JoinHandle<bool>,
}

/// Says something to a running terminal, from any thread.
///
/// What a person asks stands in a bounded line. What was *shown* goes the way of the results, which must not be lost: there
/// is at most one for each grant, and a green that is not told is put before staff as one that nobody saw.
#[derive(Clone)]
pub struct FaceSender {
    commands: mpsc::Sender<OperatorCommand>,
    results: mpsc::UnboundedSender<Input>,
}

impl FaceSender {
    /// Never waits. `false`: the terminal is gone, or so many touches wait that nobody means this one.
    #[must_use]
    pub fn try_send(&self, said: FaceInput) -> bool {
        match said {
            FaceInput::Command(command) => self.commands.try_send(command).is_ok(),
            FaceInput::Shown(record) => self.results.send(Input::Shown { record }).is_ok(),
        }
    }

    /// Waits for a place in the line; for faces that speak in order and lose nothing. `false`: the terminal is gone.
    #[must_use]
    pub fn send(&self, said: FaceInput) -> bool {
        match said {
            FaceInput::Command(command) => self.commands.blocking_send(command).is_ok(),
            FaceInput::Shown(_) => self.try_send(said),
        }
    }
}

impl Running {
    /// A way to talk to it.
    #[must_use]
    pub fn sender(&self) -> FaceSender {
        self.faces.clone()
    }

    /// Waits until it has stopped in order. `false` if it ended otherwise.
    #[must_use]
    pub fn join(self) -> bool {
        drop(self.faces);
        self.thread.join().unwrap_or(false)
    }
}

/// Starts the terminal. It runs until the machine wants to stop.
///
/// # Errors
/// If the system gives no thread.
pub fn start(parts: Parts) -> std::io::Result<Running> {
    let (commands, asked) = mpsc::channel(limits::INBOX);
    let (results, queue) = mpsc::unbounded_channel();
    let faces = FaceSender { commands, results: results.clone() };
    let thread = Builder::new().name("app".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name(limits::BLOCKING_NAME)
            .max_blocking_threads(limits::BLOCKING_THREADS)
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                error!(%error, "no runtime");
                return false;
            }
        };
        let ended = LocalSet::new().block_on(&runtime, run(parts, asked, (results, queue)));
        // All tasks are gone now, and with them the last desk: the journal does what it was told, and closes.
        let in_order = ended.is_ok_and(|journal| journal.join().is_ok());
        if !in_order {
            error!("the journal's thread ended before the terminal did");
        }
        // A connection that hangs must not hold up the end; the outbox makes that harmless.
        runtime.shutdown_timeout(limits::STOP);
        in_order
    })?;
    Ok(Running { faces, thread })
}

async fn run(
    parts: Parts,
    asked: mpsc::Receiver<OperatorCommand>,
    (results, queue): (mpsc::UnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
) -> Result<JoinHandle<()>, JournalGone> {
    let Parts {
        config,
        journal,
        reopen,
        secrets,
        pins,
        readers,
        scanner,
        local_profiles,
        central,
        clock,
        entropy,
        face,
    } = parts;
    let (journal, journal_thread) = match JournalDesk::open(journal, reopen) {
        Ok(opened) => opened,
        Err(error) => {
            error!(%error, "no thread for the journal");
            return Err(JournalGone);
        }
    };
    let floor = journal.run(|journal| journal.time_floor()).await?;
    let floor = floor.ok().flatten().unwrap_or(Timestamp::UNIX_EPOCH);
    let floor_s = Arc::new(AtomicU64::new(u64::try_from(floor.as_second()).unwrap_or(0)));
    let trust = Arc::new(RwLock::new(Arc::new(Trust::default())));
    let practice = Arc::new(AtomicBool::new(readers.simulated() || config.workshop_profiles.is_some()));
    let reader = ReaderDesk::start(ReaderParts {
        factory: readers,
        profiles: ProfileCatalog::shipped(),
        trust: Arc::clone(&trust),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        floor_s: Arc::clone(&floor_s),
        practice: Arc::clone(&practice),
        posts: results.clone(),
    });
    let shared = Rc::new(Shared {
        profiles: Rc::new(Profiles::new(reader.shelf(), local_profiles, results.clone())),
        results,
        journal,
        clock,
        entropy,
        moments: RefCell::new(Moments::new(floor)),
        floor_s: Arc::clone(&floor_s),
        links: RefCell::default(),
        trust,
        secrets: RefCell::new(secrets),
        pins,
        central: central(floor_s),
        practice,
    });
    let scanner = scanner.map(|factory| {
        let (layout, posts) = (config.scanner.layout, shared.results.clone());
        ScannerDesk::start(ScannerParts { factory, layout, clock: Arc::clone(&shared.clock), posts })
    });
    let terminal = Terminal::new(Setup {
        place: config.place,
        sign_on: config.sign_on,
        preset: config.offer.clone(),
        language: config.language.clone(),
        lock_after: config.sign_on.then_some(limits::LOCK_AFTER),
    });
    restore(&shared).await?;
    if let Some(offer) = &config.offer {
        warn_of_unknown(offer, &shared, &config.language);
    }
    shared.renew_profiles();
    #[cfg(unix)]
    let inquiries = tokio::task::spawn_local(inquiry::serve(config.data.clone(), shared.journal.clone()));
    let housekeeping = tokio::task::spawn_local(keep_house(Rc::clone(&shared)));
    let driver = Driver::new(terminal, Rc::clone(&shared), reader, face);
    let reader = driver.run(queue, asked).await;
    housekeeping.abort();
    #[cfg(unix)]
    inquiries.abort();
    reader.stop();
    scanner.into_iter().for_each(ScannerDesk::stop);
    // What the last step wanted of the journal is handed over; requests in flight end with their tasks.
    tokio::task::yield_now().await;
    if shared.journal.is_gone() {
        return Err(JournalGone);
    }
    info!("stopped");
    Ok(journal_thread)
}

/// Takes up what the journal holds: accounts first, then the state of the day.
async fn restore(shared: &Rc<Shared>) -> Result<(), JournalGone> {
    let enrolments = shared.journal.run(|journal| journal.enrolments()).await?;
    let enrolments = match enrolments {
        Ok(enrolments) => enrolments,
        Err(error) => {
            // Never taken for a terminal that is enrolled nowhere.
            error!(%error, "enrolments could not be read");
            shared.post(Input::Blocked(driver::blocked_by(&error)));
            return Ok(());
        }
    };
    let mut unusable = None;
    for entry in enrolments {
        let account = entry.enrolment.account.clone();
        match take_up(shared, entry).await? {
            Ok(()) => {}
            Err(code) => {
                error!(%account, code, "an account cannot be used");
                unusable = Some(match code {
                    "journal_failed" => BlockedBy::JournalDamaged,
                    "key_missing" | "key_unusable" => BlockedBy::KeyMissing,
                    _ => BlockedBy::AccountUnusable,
                });
            }
        }
    }
    // Others may go on; but a terminal that has none left is not a new one, and must not look like it.
    if let Some(why) = unusable.filter(|_| shared.links.borrow().iter().all(|link| link.view().is_none())) {
        shared.post(Input::Blocked(why));
    }
    let today = shared.moments.borrow_mut().at(&*shared.clock).today;
    let state = shared.journal.run(move |journal| {
        let mut never_shown = Vec::new();
        for record in journal.never_shown()? {
            never_shown.extend(journal.row(record)?);
        }
        Ok::<_, JournalError>((journal.summary(today, limits::RECENT_ROWS)?, never_shown, journal.notices()?))
    });
    match state.await? {
        Ok((summary, never_shown, notices)) => shared.post(Input::Started(Box::new(StartState {
            never_shown: shared.rows(never_shown),
            rows: shared.rows(summary.last),
            today: summary.today,
            waiting: shared.waiting(&summary.waiting),
            later_refusals: summary.later_refusals,
            notices,
        }))),
        Err(error) => {
            error!(%error, "the journal could not be read");
            shared.post(Input::Blocked(driver::blocked_by(&error)));
        }
    }
    Ok(())
}

/// A preset that no catalogue has would be noticed at the first card only, which is refused.
fn warn_of_unknown(offer: &OfferId, shared: &Shared, language: &str) {
    let links = shared.links.borrow();
    let mut known: Vec<String> = Vec::new();
    for link in links.iter() {
        let documents = link.documents.borrow();
        known.extend(documents.catalogue.iter().flat_map(|list| &list.offers).map(|known| known.id.to_string()));
    }
    if known.is_empty() || known.contains(&offer.to_string()) {
        return;
    }
    let known = known.join(", ");
    if language == "de" {
        warn!(
            "Die voreingestellte Leistung „{offer}“ steht in keinem Katalog, jede Karte wird abgelehnt. Es gibt: {known}"
        );
    } else {
        warn!("the preset offer `{offer}` is in no catalogue, every card will be refused; there are: {known}");
    }
}

/// Takes one account up: documents, beacon, standing, fork. A stable code if it cannot be used as it is; where it is the
/// documents that are missing, its forwarder goes on asking for them.
async fn take_up(shared: &Rc<Shared>, entry: Enrolled) -> Result<Result<(), &'static str>, JournalGone> {
    let account = entry.enrolment.account.clone();
    let stored = shared.journal.run(move |journal| {
        let documents = journal.documents(&account)?;
        let (beacon, regard) = (journal.beacon(&account)?, journal.regard(&account)?);
        let beacon = beacon.map_or([0; 16], |(beacon, _)| beacon);
        Ok::<_, JournalError>((documents, Remembered { beacon, standing: regard.standing, forked: regard.forked }))
    });
    let (documents, remembered) = match stored.await? {
        Ok(stored) => stored,
        Err(error) => {
            error!(%error, "an account could not be read");
            return Ok(Err("journal_failed"));
        }
    };
    let kept: Vec<_> = documents.into_iter().map(|d| KeptDocument { name: d.name, parts: d.parts }).collect();
    Ok(enrol::connect(shared, entry, &kept, remembered).and_then(|link| {
        let usable = link.view().is_some();
        enrol::start(shared, link);
        usable.then_some(()).ok_or("descriptor_missing")
    }))
}

/// What has to be done now and then, and nobody waits for: purging by the hour, and looking at everything that is stored, a
/// slice at a time and over and over, so that damage is found before it is needed.
async fn keep_house(shared: Rc<Shared>) {
    let mut hour = tokio::time::interval(limits::PURGE_EVERY);
    let mut slice = tokio::time::interval(limits::SCRUB_EVERY);
    slice.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut position = Some(ScrubPosition::default());
    loop {
        let done = tokio::select! {
            _ = hour.tick() => {
                let purged = purge(&shared).await;
                shared.renew_profiles();
                purged
            }
            _ = slice.tick(), if position.is_some() => scrub(&shared, &mut position).await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// Forgets what retention says, in slices, between which taps go on.
async fn purge(shared: &Shared) -> Result<(), JournalGone> {
    // By trusted time alone: a clock that jumps ahead for a minute must not cost the card lists.
    let now = {
        let mut moments = shared.moments.borrow_mut();
        let at = moments.at(&*shared.clock);
        if at.clock.trusted { at.floor } else { moments.floor() }
    };
    loop {
        match shared.journal.run(move |journal| journal.purge(now)).await? {
            Ok(purged) if purged.more => tokio::time::sleep(limits::PURGE_PAUSE).await,
            Ok(_) => return Ok(()),
            Err(error) => {
                warn!(%error, "nothing could be purged");
                return Ok(());
            }
        }
    }
}

/// Looks at the slice at `position`. After the last one it begins at the first again; after damage there is none.
async fn scrub(shared: &Shared, position: &mut Option<ScrubPosition>) -> Result<(), JournalGone> {
    let Some(from) = *position else { return Ok(()) };
    *position = match shared.journal.run(move |journal| journal.scrub(from)).await? {
        Ok(next) => Some(next.unwrap_or_default()),
        Err(error) => {
            error!(%error, "the journal is damaged");
            shared.post(Input::Blocked(driver::blocked_by(&error)));
            None
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::RecordId;

    /// Fault 37: mashed touches fill their line to the brim while the machine is busy, and the green is told all the same.
    #[test]
    fn touches_are_dropped_and_what_was_shown_never() {
        let (commands, mut asked) = mpsc::channel(limits::INBOX);
        let (results, mut queue) = mpsc::unbounded_channel();
        let face = FaceSender { commands, results };
        let touches = limits::INBOX + 1_000;
        let taken = (0..touches).filter(|_| face.try_send(FaceInput::Command(OperatorCommand::Undo))).count();
        assert_eq!(taken, limits::INBOX);

        let record = RecordId(uuid::Uuid::from_u128(7));
        assert!(face.try_send(FaceInput::Shown(record)) && face.send(FaceInput::Shown(record)));
        for _ in 0..2 {
            assert!(matches!(queue.try_recv(), Ok(Input::Shown { record: told }) if told == record));
        }
        assert!(queue.try_recv().is_err());

        drop(queue);
        asked.close();
        assert!(!face.try_send(FaceInput::Shown(record)), "the terminal is gone");
        assert!(!face.try_send(FaceInput::Command(OperatorCommand::Undo)));
    }
}
