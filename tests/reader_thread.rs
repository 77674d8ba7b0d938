//! The reader's thread with the reader in memory: what the machine hears of each card, and how the thread survives
//! readers that hang, panic or go away.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    future::Future,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use support::practice::{Counting, NOW, Practice, booking};
use teilhabe_terminal::{
    app::reader_thread::{ReaderDesk, ReaderParts},
    domain::{
        ids::TapId,
        reading::{Evidence, ReadFailure, Route},
    },
    ports::{CardReader, CardReaderFactory, ReaderError},
    profile::ProfileCatalog,
    sim::{Fault, ManualClock, VirtualCard, VirtualReaders},
    terminal::{input::Input, screen::ReaderState},
};
use tokio::{
    sync::mpsc,
    task::LocalSet,
    time::{error::Elapsed, timeout},
};

const SLOT: &str = "Virtual PCD 00 00";
const OTHER_SLOT: &str = "Virtual PCD 00 01";
/// Every wait ends here at the latest.
const BOUND: Duration = Duration::from_secs(10);
/// Longer than any wait for something that must not come: the thread's longest sleep is half a second.
const QUIET: Duration = Duration::from_millis(1200);

/// A thread, its readers, and what the machine would hear.
struct Bench {
    readers: VirtualReaders,
    practice: Practice,
    clock: Arc<ManualClock>,
    desk: ReaderDesk,
    heard: mpsc::UnboundedReceiver<Input>,
}

impl Bench {
    fn new() -> Self {
        let readers = VirtualReaders::new();
        readers.plug(SLOT, None);
        readers.plug(OTHER_SLOT, None);
        Self::with(readers.clone(), Arc::new(readers))
    }

    fn with(readers: VirtualReaders, factory: Arc<dyn CardReaderFactory>) -> Self {
        let practice = Practice::new();
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(NOW).unwrap()));
        let (posts, heard) = mpsc::unbounded_channel();
        let desk = ReaderDesk::start(ReaderParts {
            factory,
            profiles: ProfileCatalog::shipped(),
            trust: Arc::new(RwLock::new(Arc::new(practice.trust.clone()))),
            clock: Arc::clone(&clock) as Arc<_>,
            entropy: Arc::new(Counting::default()),
            floor_s: Arc::new(AtomicU64::new(0)),
            posts,
        });
        Self { readers, practice, clock, desk, heard }
    }

    async fn hear(&mut self) -> Input {
        timeout(BOUND, self.heard.recv()).await.expect("nothing was said in time").unwrap()
    }

    async fn state(&mut self) -> ReaderState {
        match self.hear().await {
            Input::Reader { state, simulated: true, .. } => state,
            other => panic!("{other:?}"),
        }
    }

    async fn ready(&mut self) {
        while self.state().await != ReaderState::Ready {}
    }

    async fn presented(&mut self) -> TapId {
        match self.hear().await {
            Input::CardPresented { tap } => tap,
            other => panic!("{other:?}"),
        }
    }

    async fn identified(&mut self) -> TapId {
        let presented = self.presented().await;
        match self.hear().await {
            Input::CardIdentified { tap, identified } if tap == presented => {
                assert!(identified.profile.is_some());
                tap
            }
            other => panic!("{other:?}"),
        }
    }

    async fn failed(&mut self) -> ReadFailure {
        let presented = self.presented().await;
        match self.hear().await {
            Input::CardFailed { tap, failure } if tap == presented => failure,
            other => panic!("{other:?}"),
        }
    }

    async fn signs(&mut self, tap: TapId) -> Evidence {
        self.desk.authenticate(tap, booking());
        match self.hear().await {
            Input::Authenticated { tap: of, evidence } if of == tap => *evidence,
            other => panic!("{other:?}"),
        }
    }

    async fn removed(&mut self, tap: TapId) {
        assert_eq!(self.hear().await, Input::CardRemoved { tap });
    }

    async fn silence(&mut self) {
        let heard: Result<_, Elapsed> = timeout(QUIET, self.heard.recv()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    fn lay(&self, fault: Option<Fault>) {
        self.readers.insert(SLOT, self.practice.card("chip", fault));
    }

    fn take(&self) {
        self.readers.remove(SLOT);
    }
}

fn run(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, story);
}

#[test]
fn a_card_is_read_signs_and_leaves() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.lay(None);
        let tap = bench.identified().await;
        assert!(matches!(bench.signs(tap).await, Evidence::Bik1(_)));
        bench.take();
        bench.removed(tap).await;
        bench.desk.stop();
    });
}

#[test]
fn a_card_waits_until_cards_may_be_read_and_is_read_once() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.lay(None);
        bench.silence().await;
        bench.desk.arm(true);
        let tap = bench.identified().await;
        bench.desk.end(tap);
        bench.desk.arm(false);
        bench.desk.arm(true);
        bench.silence().await;
        bench.take();
        bench.removed(tap).await;
    });
}

#[test]
fn each_kind_of_card_that_is_not_ours_has_its_words_and_hears_nothing() {
    let cases: [(&[u8], ReadFailure); 4] = [
        (b"\x3B\x85\x80\x01\x30\x01\x01\x30\x30\x34", ReadFailure::ForeignHealth),
        (b"\x3B\x8A\x80\x01\x80\x31\xB8\x73\x84\x01\xE0\x82\x90\x00\x06", ReadFailure::ForeignIdentity),
        (b"\x3B\x87\x80\x01\x80\x31\xC0\x73\xD6\x31\xC0\x23", ReadFailure::ForeignBank),
        (b"\x3B\x85\x80\x01\x5A\x43\x56\x44\x56\x59", ReadFailure::ForeignTransit),
    ];
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        for (atr, expected) in cases {
            let asked = Arc::new(AtomicUsize::new(0));
            let witness = Arc::clone(&asked);
            let card = bench.practice.card("chip", None).with_atr(atr).witnessed(move |_| {
                witness.fetch_add(1, Ordering::Relaxed);
            });
            bench.readers.insert(SLOT, card);
            assert_eq!(bench.failed().await, expected, "{atr:02X?}");
            assert_eq!(asked.load(Ordering::Relaxed), 0);
            bench.take();
            assert!(matches!(bench.hear().await, Input::CardRemoved { .. }));
        }
    });
}

#[test]
fn failures_reach_the_machine_and_the_next_card_starts_clean() {
    let cases = [
        (Fault::TearAt(1), ReadFailure::Removed),
        (Fault::ShortAnswer, ReadFailure::Garbled),
        (Fault::Expired, ReadFailure::Expired),
        (Fault::WrongStatus { sw: 0x6283, from: 0 }, ReadFailure::Locked),
    ];
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        for (fault, expected) in cases {
            bench.lay(Some(fault));
            assert_eq!(bench.failed().await, expected, "{fault:?}");
            bench.take();
            assert!(matches!(bench.hear().await, Input::CardRemoved { .. }));
        }
        bench.lay(None);
        bench.identified().await;
    });
}

#[test]
fn a_short_answer_is_asked_for_once_more() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        let selects = Arc::new(AtomicUsize::new(0));
        let witness = Arc::clone(&selects);
        let card = bench.practice.card("chip", Some(Fault::ShortAnswer)).witnessed(move |command| {
            witness.fetch_add(usize::from(command[1] == 0xA4), Ordering::Relaxed);
        });
        bench.readers.insert(SLOT, card);
        assert_eq!(bench.failed().await, ReadFailure::Garbled);
        assert_eq!(selects.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_failed_signature_books_nothing() {
    let cases = [
        (Fault::TearAt(3), ReadFailure::Removed),
        (Fault::WrongSignature, ReadFailure::Forged),
        (Fault::Copied, ReadFailure::AuthenticationRefused),
        (Fault::TwoCards, ReadFailure::TwoCards),
    ];
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        for (fault, failure) in cases {
            bench.lay(Some(fault));
            let tap = bench.identified().await;
            bench.desk.authenticate(tap, booking());
            assert_eq!(bench.hear().await, Input::AuthenticationFailed { tap, failure }, "{fault:?}");
            bench.take();
            bench.removed(tap).await;
        }
    });
}

#[test]
fn a_late_order_finds_the_card_that_still_lies_there_and_no_other() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.lay(None);
        let tap = bench.identified().await;
        // Somebody has to choose first: the transaction ends, the card stays.
        bench.desk.end(tap);
        bench.signs(tap).await;
        bench.take();
        bench.removed(tap).await;
        bench.desk.authenticate(tap, booking());
        assert_eq!(bench.hear().await, Input::AuthenticationFailed { tap, failure: ReadFailure::Removed });
    });
}

#[test]
fn a_phone_that_flaps_after_it_signed_is_one_tap() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        let phone = |bench: &Bench| bench.readers.insert(SLOT, bench.practice.card("phone", None));
        phone(&bench);
        let tap = bench.identified().await;
        bench.signs(tap).await;
        bench.take();
        bench.removed(tap).await;
        for _ in 0..5 {
            phone(&bench);
            bench.clock.advance(Duration::from_millis(200));
            bench.silence().await;
            bench.take();
        }
        // Another child's card in the same moment is another tap, and so is the phone after a while.
        bench.readers.insert(SLOT, bench.practice.card("other", None));
        let other = bench.identified().await;
        bench.signs(other).await;
        bench.take();
        bench.removed(other).await;
        bench.clock.advance(Duration::from_secs(2));
        phone(&bench);
        assert_ne!(bench.identified().await, tap);
    });
}

/// Faults 15 and 22: whether a card flaps is found out in silence, but not for long. A card that says nothing is another
/// child's, and a picture is owed for it.
#[test]
fn a_mute_card_right_after_one_that_signed_is_told_of() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.readers.insert(SLOT, bench.practice.card("chip", None));
        let first = bench.identified().await;
        bench.signs(first).await;
        bench.take();
        bench.removed(first).await;
        let (asked, first_command) = std::sync::mpsc::channel();
        let mute = bench.practice.card("other", Some(Fault::Mute)).witnessed(move |_| {
            let _ = asked.send(());
        });
        bench.readers.insert(SLOT, mute);
        first_command.recv_timeout(BOUND).unwrap();
        bench.clock.advance(Duration::from_millis(300));
        let second = bench.presented().await;
        assert_ne!(second, first);
        bench.take();
        let failed = Input::CardFailed { tap: second, failure: ReadFailure::Removed };
        assert_eq!(bench.hear().await, failed);
    });
}

#[test]
fn a_phone_without_a_choice_is_waited_for_and_others_go_first() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        let chosen = Arc::new(AtomicBool::new(false));
        let phone = bench.practice.card("phone", None).undecided(Arc::clone(&chosen));
        bench.readers.insert(SLOT, phone);
        assert_eq!(bench.failed().await, ReadFailure::ChooseChild);
        for _ in 0..3 {
            bench.clock.advance(Duration::from_secs(1));
            bench.silence().await;
        }
        bench.readers.insert(OTHER_SLOT, bench.practice.card("other", None));
        let other = bench.identified().await;
        bench.desk.end(other);
        chosen.store(true, Ordering::Relaxed);
        bench.clock.advance(Duration::from_secs(1));
        let presented = bench.presented().await;
        match bench.hear().await {
            Input::CardIdentified { tap, identified } => {
                assert_eq!((tap, identified.route), (presented, Route::Phone));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn another_program_that_holds_the_card_is_named() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.readers.hold_elsewhere(SLOT, true);
        bench.lay(None);
        let tap = bench.presented().await;
        assert_eq!(bench.state().await, ReaderState::Busy);
        assert_eq!(bench.hear().await, Input::CardFailed { tap, failure: ReadFailure::ReaderBusy });
        bench.take();
        bench.removed(tap).await;
        bench.readers.hold_elsewhere(SLOT, false);
        bench.lay(None);
        bench.presented().await;
        assert_eq!(bench.state().await, ReaderState::Ready);
    });
}

#[test]
fn readers_come_and_go() {
    run(async {
        let readers = VirtualReaders::new();
        let mut bench = Bench::with(readers.clone(), Arc::new(readers));
        assert_eq!(bench.state().await, ReaderState::Missing);
        bench.desk.arm(true);
        bench.readers.plug("ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 01 00", Some((0x072F, 0x223B)));
        assert_eq!(bench.state().await, ReaderState::Unsupported, "a slot for a SAM takes no cards");
        bench.readers.plug(SLOT, None);
        bench.ready().await;
        bench.lay(None);
        let tap = bench.identified().await;
        bench.desk.end(tap);
        bench.readers.unplug(SLOT);
        bench.removed(tap).await;
        assert_eq!(bench.state().await, ReaderState::Unsupported);
    });
}

#[test]
fn the_service_is_found_again() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.readers.stop_service();
        assert_eq!(bench.state().await, ReaderState::ServiceMissing);
        bench.readers.start_service();
        let back = timeout(Duration::from_secs(5), bench.ready()).await;
        assert!(back.is_ok(), "back within five seconds of its return");
        bench.lay(None);
        let tap = bench.identified().await;
        bench.signs(tap).await;
    });
}

#[test]
fn a_call_that_hangs_is_given_up_and_what_it_says_later_is_not_heard() {
    run(async {
        let mut bench = Bench::new();
        bench.ready().await;
        bench.desk.arm(true);
        bench.lay(Some(Fault::Mute));
        bench.presented().await;
        bench.clock.advance(Duration::from_secs(9));
        assert_eq!(bench.state().await, ReaderState::Stuck);
        bench.ready().await;
        // The new thread meets the same card; it hangs the same way until somebody takes it out.
        bench.presented().await;
        bench.take();
        assert!(matches!(bench.hear().await, Input::CardFailed { failure: ReadFailure::Removed, .. }));
        assert!(matches!(bench.hear().await, Input::CardRemoved { .. }));
        bench.silence().await;
        bench.lay(None);
        let tap = bench.identified().await;
        bench.signs(tap).await;
    });
}

/// Panics the first time, as a driver's surprise may make a library do.
struct Startling {
    readers: VirtualReaders,
    startled: AtomicBool,
}

impl CardReaderFactory for Startling {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        assert!(self.startled.swap(true, Ordering::Relaxed), "played by the test");
        self.readers.open()
    }

    fn simulated(&self) -> bool {
        true
    }
}

#[test]
fn a_panic_costs_a_second() {
    run(async {
        let readers = VirtualReaders::new();
        readers.plug(SLOT, None);
        let startled = Startling { readers: readers.clone(), startled: AtomicBool::new(false) };
        let mut bench = Bench::with(readers, Arc::new(startled));
        assert_eq!(bench.state().await, ReaderState::ServiceMissing);
        bench.ready().await;
        bench.desk.arm(true);
        bench.lay(None);
        bench.identified().await;
    });
}

/// The cards are distinguishable, so that the tests above test something.
#[test]
fn the_cards_differ() {
    let practice = Practice::new();
    let key = |card: VirtualCard| card.public_key().unwrap();
    assert_ne!(key(practice.card("chip", None)), key(practice.card("other", None)));
}
