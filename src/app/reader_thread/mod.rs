//! The thread that may block on a card: watches slots, reads what is laid there, lets it sign, posts what happened.
//!
//! PC/SC calls can hang without limit. A watchdog on the application's side notices a call that takes too long, gives the
//! thread up and starts another one with a context of its own; whatever the abandoned one still says is ignored by its
//! generation. An abandoned thread ends as soon as its call returns; more than a handful are never left behind.

mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Builder,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{error, warn};

use self::worker::Worker;
use super::limits;
use crate::{
    card::{BookingContext, Trust},
    domain::ids::TapId,
    ports::{CancelWait, CardReader, CardReaderFactory, Clock, Entropy, ReaderError, ReaderIdentity, SlotName},
    profile::{Moment, ProfileCatalog},
    terminal::{input::Input, screen::ReaderState},
};

/// No reader at all: a build without PC/SC. Numbers and codes still work.
pub struct NoReaders;

impl CardReaderFactory for NoReaders {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        Err(ReaderError::ServiceGone("this build has no PC/SC".to_owned()))
    }

    fn simulated(&self) -> bool {
        false
    }
}

/// What the machine wants of the card that lies there.
enum Order {
    /// Let it sign this booking.
    Authenticate(TapId, Box<BookingContext>),
    /// Nothing more.
    End(TapId),
}

impl Order {
    const fn tap(&self) -> TapId {
        match self {
            Self::Authenticate(tap, _) | Self::End(tap) => *tap,
        }
    }
}

/// What both sides see.
#[derive(Default)]
struct Board {
    armed: bool,
    stop: bool,
    orders: Vec<Order>,
    /// A call into PC/SC runs, and hangs if it runs past this, monotonic.
    busy_until: Option<Duration>,
    /// What the reader itself is to show, newest only.
    signal: Option<Moment>,
    /// Slots whose reader takes no signals, or has hung over one.
    silent: BTreeSet<SlotName>,
    /// What the readers behind the slots have said of themselves.
    identities: BTreeMap<SlotName, ReaderIdentity>,
    /// What the reader's profile tells people to do if a call to it hangs, by language.
    if_stuck: BTreeMap<String, String>,
    /// Ends the wait for readers and cards while one runs.
    waiting: Option<Box<dyn CancelWait>>,
    /// A card that is read without anybody having been told, and since when, monotonic.
    quiet: Option<(TapId, Duration)>,
    /// Threads that have not ended, abandoned ones included.
    threads: usize,
}

struct Common {
    board: Mutex<Board>,
    changed: Condvar,
    generation: AtomicU64,
    factory: Arc<dyn CardReaderFactory>,
    profiles: RwLock<Arc<ProfileCatalog>>,
    trust: Arc<RwLock<Arc<Trust>>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    floor_s: Arc<AtomicU64>,
    practice: Arc<AtomicBool>,
    posts: mpsc::UnboundedSender<Input>,
    runtime: tokio::runtime::Handle,
}

impl Common {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board and wakes the thread, whatever it waits for. It is told at most a wait's length later if it
    /// begins to wait just now.
    fn tell(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.board();
        change(&mut board);
        // Taken out, so that the cancel does not run under the lock, and only once for each wait.
        let waiting = board.waiting.take();
        drop(board);
        self.changed.notify_all();
        if let Some(waiting) = waiting {
            // A service that hangs answers not even a cancel; the application's thread must not wait for it.
            drop(self.runtime.spawn_blocking(move || waiting.cancel()));
        }
    }

    fn now(&self) -> Timestamp {
        let floor = i64::try_from(self.floor_s.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        self.clock.wall().max(Timestamp::from_second(floor).unwrap_or(Timestamp::MAX))
    }

    fn profiles(&self) -> Arc<ProfileCatalog> {
        self.profiles.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn trust(&self) -> Arc<Trust> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn mint(&self) -> TapId {
        TapId(self.entropy.uuid_v7(self.clock.wall()))
    }
}

/// The application's side of the reader.
pub struct ReaderDesk {
    common: Arc<Common>,
    watchdog: tokio::task::JoinHandle<()>,
}

/// The profiles in force, replaced whole. The thread takes newer ones between two cards.
pub struct ProfileShelf(Arc<Common>);

impl ProfileShelf {
    /// From the next card on these count.
    pub fn put(&self, profiles: ProfileCatalog) {
        *self.0.profiles.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profiles);
        self.0.tell(|_| {});
    }
}

/// What the reader's thread shares with the rest of the application.
pub struct ReaderParts {
    /// Makes readers.
    pub factory: Arc<dyn CardReaderFactory>,
    /// Profiles of readers and cards to begin with; [`ReaderDesk::shelf`] replaces them.
    pub profiles: ProfileCatalog,
    /// What cards are verified with; replaced whole.
    pub trust: Arc<RwLock<Arc<Trust>>>,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The time floor, unix seconds.
    pub floor_s: Arc<AtomicU64>,
    /// Set once a virtual reader is seen.
    pub practice: Arc<AtomicBool>,
    /// Where inputs go.
    pub posts: mpsc::UnboundedSender<Input>,
}

impl ReaderDesk {
    /// Starts the thread and its watchdog.
    #[must_use]
    pub fn start(parts: ReaderParts) -> Self {
        let ReaderParts { factory, profiles, trust, clock, entropy, floor_s, practice, posts } = parts;
        let common = Arc::new(Common {
            board: Mutex::default(),
            changed: Condvar::new(),
            generation: AtomicU64::new(0),
            factory,
            profiles: RwLock::new(Arc::new(profiles)),
            trust,
            clock,
            entropy,
            floor_s,
            practice,
            posts,
            runtime: tokio::runtime::Handle::current(),
        });
        spawn(&common);
        let watchdog = tokio::task::spawn_local(watch(Arc::clone(&common)));
        Self { common, watchdog }
    }

    /// Where newer profiles are put.
    #[must_use]
    pub fn shelf(&self) -> ProfileShelf {
        ProfileShelf(Arc::clone(&self.common))
    }

    /// Cards may be read, or not. One that already lies there is kept until it may.
    pub fn arm(&self, armed: bool) {
        self.common.tell(|board| board.armed = armed);
    }

    /// Lets the card of this presence sign.
    pub fn authenticate(&self, tap: TapId, context: BookingContext) {
        self.common.tell(|board| board.orders.push(Order::Authenticate(tap, Box::new(context))));
    }

    /// Nothing more is wanted of the card of this presence.
    pub fn end(&self, tap: TapId) {
        self.common.tell(|board| board.orders.push(Order::End(tap)));
    }

    /// Light and sound of the reader, if it has any. Never waited for, and nothing tells whether anybody saw them.
    pub fn signal(&self, moment: Moment) {
        self.common.tell(|board| board.signal = Some(moment));
    }

    /// Ends the thread, and gives it a moment to leave its card; one that hangs in a call is left to the end of the
    /// process.
    pub fn stop(self) {
        self.watchdog.abort();
        self.common.generation.fetch_add(1, Ordering::Relaxed);
        self.common.tell(|board| board.stop = true);
        let board = self.common.board();
        let _ = self.common.changed.wait_timeout_while(board, limits::READER_STOP, |board| board.threads > 0);
    }
}

/// Starts a thread of the present generation.
fn spawn(common: &Arc<Common>) {
    let generation = common.generation.load(Ordering::Relaxed);
    let mine = Arc::clone(common);
    common.board().threads += 1;
    let thread = Builder::new().name("reader".to_owned()).spawn(move || {
        Worker::new(Arc::clone(&mine), generation).run();
        mine.board().threads -= 1;
        mine.changed.notify_all();
    });
    if let Err(error) = thread {
        error!(%error, "no thread for the reader");
        common.board().threads -= 1;
    }
}

/// Tells of a card that is read in silence and takes long over it; gives a thread up that hangs in a call, and starts
/// another.
async fn watch(common: Arc<Common>) {
    let mut tick = tokio::time::interval(limits::READER_WATCH);
    let mut owed = false;
    loop {
        tick.tick().await;
        let now = common.clock.monotonic();
        let long = common.board().quiet.take_if(|(_, since)| now.saturating_sub(*since) > limits::READER_QUIET);
        if let Some((tap, _)) = long {
            let _ = common.posts.send(Input::CardPresented { tap });
        }
        let stuck = common.board().busy_until.is_some_and(|until| now > until);
        if stuck {
            warn!("a call to the reader hangs; it is given up");
            common.generation.fetch_add(1, Ordering::Relaxed);
            let mut board = common.board();
            (board.busy_until, board.waiting) = (None, None);
            let advice = board.if_stuck.clone();
            drop(board);
            let simulated = common.factory.simulated();
            // Nobody listens any more only when the terminal ends.
            let _ = common.posts.send(Input::Reader { state: ReaderState::Stuck, name: None, simulated, advice });
            owed = true;
        }
        if owed && common.board().threads < limits::READER_THREADS {
            owed = false;
            spawn(&common);
        }
    }
}
