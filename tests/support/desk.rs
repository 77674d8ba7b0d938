//! The reader's thread with what the machine would hear of it.

use std::{
    future::Future,
    sync::{Arc, RwLock, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use teilhabe_terminal::{
    app::reader_thread::{ReaderDesk, ReaderParts},
    domain::{
        ids::TapId,
        reading::{Evidence, ReadFailure},
    },
    ports::CardReaderFactory,
    profile::ProfileCatalog,
    sim::ManualClock,
    terminal::{input::Input, screen::ReaderState},
};
use tokio::{
    sync::mpsc,
    task::LocalSet,
    time::{error::Elapsed, timeout},
};

use super::practice::{Counting, NOW, Practice, booking};

/// Every wait ends here at the latest.
pub const BOUND: Duration = Duration::from_secs(20);
/// Longer than any wait for something that must not come: the thread's longest sleep is half a second, a real service
/// looks at its slots every 400 ms.
pub const QUIET: Duration = Duration::from_millis(1200);

/// A thread and what it says. Its clock is set by hand.
pub struct Listening {
    pub practice: Practice,
    pub clock: Arc<ManualClock>,
    pub desk: ReaderDesk,
    /// The newest trusted instant, unix seconds.
    pub floor_s: Arc<AtomicU64>,
    heard: mpsc::UnboundedReceiver<Input>,
}

impl Listening {
    pub fn to(factory: Arc<dyn CardReaderFactory>) -> Self {
        Self::with(factory, ProfileCatalog::shipped())
    }

    /// With these profiles.
    pub fn with(factory: Arc<dyn CardReaderFactory>, profiles: ProfileCatalog) -> Self {
        let practice = Practice::new();
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(NOW).unwrap()));
        let (posts, heard) = mpsc::unbounded_channel();
        let floor_s = Arc::new(AtomicU64::new(0));
        let desk = ReaderDesk::start(ReaderParts {
            factory,
            profiles,
            trust: Arc::new(RwLock::new(Arc::new(practice.trust.clone()))),
            clock: Arc::clone(&clock) as Arc<_>,
            entropy: Arc::new(Counting::default()),
            floor_s: Arc::clone(&floor_s),
            practice: Arc::default(),
            posts,
        });
        Self { practice, clock, desk, floor_s, heard }
    }

    pub async fn hear(&mut self) -> Input {
        timeout(BOUND, self.heard.recv()).await.expect("nothing was said in time").unwrap()
    }

    /// The reader's next state.
    pub async fn state(&mut self) -> ReaderState {
        self.named_state().await.0
    }

    /// The reader's next state, and which it is.
    pub async fn named_state(&mut self) -> (ReaderState, Option<String>) {
        match self.hear().await {
            Input::Reader { state, name, .. } => (state, name),
            other => panic!("{other:?}"),
        }
    }

    pub async fn ready(&mut self) {
        while self.state().await != ReaderState::Ready {}
    }

    pub async fn presented(&mut self) -> TapId {
        match self.hear().await {
            Input::CardPresented { tap } => tap,
            other => panic!("{other:?}"),
        }
    }

    pub async fn identified(&mut self) -> TapId {
        let presented = self.presented().await;
        match self.hear().await {
            Input::CardIdentified { tap, identified } if tap == presented => {
                assert!(identified.profile.is_some());
                tap
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn failed(&mut self) -> ReadFailure {
        let presented = self.presented().await;
        match self.hear().await {
            Input::CardFailed { tap, failure } if tap == presented => failure,
            other => panic!("{other:?}"),
        }
    }

    pub async fn signs(&mut self, tap: TapId) -> Evidence {
        self.desk.authenticate(tap, booking());
        match self.hear().await {
            Input::Authenticated { tap: of, evidence } if of == tap => *evidence,
            other => panic!("{other:?}"),
        }
    }

    pub async fn removed(&mut self, tap: TapId) {
        assert_eq!(self.hear().await, Input::CardRemoved { tap });
    }

    /// Some card has left.
    pub async fn left(&mut self) {
        match self.hear().await {
            Input::CardRemoved { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// All that is said until nothing more is.
    pub async fn all(&mut self) -> Vec<Input> {
        let mut said = Vec::new();
        while let Ok(Some(input)) = timeout(QUIET, self.heard.recv()).await {
            said.push(input);
        }
        said
    }

    pub async fn silence(&mut self) {
        let heard: Result<_, Elapsed> = timeout(QUIET, self.heard.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

/// Runs one story to its end.
pub fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, story)
}
