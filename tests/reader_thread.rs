//! The reader's thread with the reader in memory: what the machine hears of each card, and how the thread survives
//! readers that hang, panic or go away.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::{
    desk::{BOUND, Listening, run},
    practice::{Practice, booking},
    stand::{InMemory, SLOT},
};
use teilhabe_terminal::{
    domain::reading::{Evidence, ReadFailure},
    ports::{
        CancelWait, CardChannel, CardReader, CardReaderFactory, ChannelError, EscapeWay, ReaderError, ReaderEvent,
        ReaderIdentity, SlotName,
    },
    profile::{Moment, ProfileCatalog, ProfileText},
    sim::{Fault, VirtualCard, VirtualReaders},
    terminal::{input::Input, screen::ReaderState},
};
use tokio::time::timeout;

/// A thread and the readers in memory that it has.
struct Bench {
    readers: VirtualReaders,
    listening: Listening,
}

impl Deref for Bench {
    type Target = Listening;

    fn deref(&self) -> &Listening {
        &self.listening
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Listening {
        &mut self.listening
    }
}

impl Bench {
    fn new() -> Self {
        let InMemory(readers) = InMemory::new();
        Self::with(readers.clone(), Arc::new(readers))
    }

    fn with(readers: VirtualReaders, factory: Arc<dyn CardReaderFactory>) -> Self {
        Self { readers, listening: Listening::to(factory) }
    }

    fn lay(&self, fault: Option<Fault>) {
        self.readers.insert(SLOT, self.practice.card("chip", fault));
    }

    fn take(&self) {
        self.readers.remove(SLOT);
    }
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
        bench.listening.desk.stop();
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

/// Fault 2.
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

/// Fault 10.
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

/// What its profile says about the reader's next state of this kind.
async fn advice(listening: &mut Listening, expected: ReaderState) -> BTreeMap<String, String> {
    loop {
        match listening.hear().await {
            Input::Reader { state, advice, .. } if state == expected => return advice,
            Input::Reader { .. } | Input::CardPresented { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What a profile has to say to people reaches the machine with the state it is about, in every language it has.
#[test]
fn a_profile_speaks_for_its_reader() {
    run(async {
        let readers = VirtualReaders::new();
        let mut bench = Bench::with(readers.clone(), Arc::new(readers));
        assert!(advice(&mut bench, ReaderState::Missing).await.is_empty());
        let unusable = "SCM Micro SCL3711 Contactless Reader & NFC 00 00";
        bench.readers.plug(unusable, None);
        let said = advice(&mut bench, ReaderState::Unsupported).await;
        assert!(said["de"].contains("anderen Leser") && said["en"].contains("another card reader"), "{said:?}");
        bench.readers.unplug(unusable);
        bench.readers.plug_model(ACR122U, ReaderIdentity::default(), &[]);
        assert!(advice(&mut bench, ReaderState::Ready).await.is_empty(), "nothing is wrong");
        bench.desk.arm(true);
        bench.readers.insert(ACR122U, bench.practice.card("chip", Some(Fault::Mute)));
        // The call has begun when nothing more is said.
        bench.all().await;
        bench.clock.advance(Duration::from_secs(9));
        let said = advice(&mut bench, ReaderState::Stuck).await;
        assert!(said["de"].contains("abziehen") && said["en"].contains("Unplug"), "{said:?}");
        bench.listening.desk.stop();
    });
}

/// A firmware that a profile knows to fail is told of, and used all the same.
#[test]
fn a_bad_firmware_is_named() {
    let profile = include_str!("../firmware-profiles/readers/acr122u.toml").replace(
        "[messages.de]",
        "[[known_firmware]]\nbcd = \"0x0214\"\nstatus = \"bad\"\n\n[messages.de]\nfirmware = \"Firmware erneuern.\"",
    );
    for (bcd_device, expected) in [(0x0214, Some("Firmware erneuern.")), (0x0215, None)] {
        run(async {
            let readers = VirtualReaders::new();
            let usb = Some((0x072F, 0x2200));
            readers.plug_model(ACR122U, ReaderIdentity { usb, bcd_device: Some(bcd_device), firmware_text: None }, &[]);
            let text = ProfileText::from_file("acr122u.toml", profile.clone().into_bytes());
            let catalog = ProfileCatalog::shipped().with_local(&[text]);
            assert_eq!(catalog.errors(), []);
            let mut bench = Bench { listening: Listening::with(Arc::new(readers.clone()), catalog), readers };
            let said = advice(&mut bench, ReaderState::Ready).await;
            assert_eq!(said.get("de").map(String::as_str), expected);
            bench.listening.desk.stop();
        });
    }
}

/// Fault 16.
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

/// Refused twice, as by polkit; a service that is being killed says so once.
struct Guarded(VirtualReaders, AtomicUsize);

impl CardReaderFactory for Guarded {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        if self.1.fetch_add(1, Ordering::Relaxed) < 2 { Err(ReaderError::Denied) } else { self.0.open() }
    }

    fn simulated(&self) -> bool {
        true
    }
}

#[test]
fn access_is_called_denied_when_it_is_denied_again() {
    run(async {
        let InMemory(readers) = InMemory::new();
        let mut bench = Bench::with(readers.clone(), Arc::new(Guarded(readers, AtomicUsize::new(0))));
        assert_eq!(bench.state().await, ReaderState::ServiceMissing);
        assert_eq!(bench.state().await, ReaderState::Denied);
        bench.ready().await;
    });
}

/// Fault 15.
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

const ACR122U: &str = "ACS ACR122U PICC Interface 00 00";
const BUZZER_OFF: &[u8] = b"\xFF\x00\x52\x00\x00";
const GREEN: &[u8] = b"\xFF\x00\x40\xA0\x04\x03\x00\x01\x00";
const RED: &[u8] = b"\xFF\x00\x40\x50\x04\x06\x00\x01\x00";
const ONE_TONE: &[u8] = b"\xFF\x00\x40\x00\x04\x01\x00\x01\x01";
const THREE_TONES: &[u8] = b"\xFF\x00\x40\x00\x04\x01\x01\x03\x01";

fn by(way: EscapeWay, commands: &[&[u8]]) -> Vec<(EscapeWay, Vec<u8>)> {
    commands.iter().map(|command| (way, command.to_vec())).collect()
}

/// Waits until the reader itself has got that many commands.
async fn obeyed(bench: &Bench, count: usize) -> Vec<(EscapeWay, Vec<u8>)> {
    let mut got = Vec::new();
    let all = async {
        while got.len() < count {
            got.extend(bench.readers.obeyed(ACR122U));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = timeout(BOUND, all).await;
    assert!(done.is_ok(), "{got:02X?}");
    got
}

/// The profile of the ACR122U: its beep on detection is switched off with the first card, because without one nothing
/// gets through; then green and a tone for yes, red and three for no.
#[test]
fn a_reader_shows_what_became_of_the_tap() {
    run(async {
        let readers = VirtualReaders::new();
        readers.plug_model(ACR122U, ReaderIdentity::default(), &[EscapeWay::Transmit, EscapeWay::Control(1)]);
        let mut bench = Bench::with(readers.clone(), Arc::new(readers));
        bench.ready().await;
        bench.desk.arm(true);
        bench.readers.insert(ACR122U, bench.practice.card("chip", None));
        let tap = bench.identified().await;
        // What is said while the card is being talked to is not sent into the dialogue.
        bench.desk.signal(Moment::Accept);
        bench.silence().await;
        assert!(bench.readers.obeyed(ACR122U).is_empty());
        bench.desk.end(tap);
        assert_eq!(obeyed(&bench, 3).await, by(EscapeWay::Transmit, &[BUZZER_OFF, GREEN, ONE_TONE]));
        bench.desk.signal(Moment::Reject);
        assert_eq!(obeyed(&bench, 2).await, by(EscapeWay::Transmit, &[RED, THREE_TONES]));
        bench.readers.remove(ACR122U);
        bench.removed(tap).await;
        // Without a card this model takes nothing; the next card is read all the same.
        bench.desk.signal(Moment::Reject);
        bench.readers.insert(ACR122U, bench.practice.card("other", None));
        bench.identified().await;
        assert!(bench.readers.obeyed(ACR122U).is_empty());
    });
}

/// The driver keeps the way closed, as libccid does by default.
#[test]
fn a_reader_that_takes_no_signals_stays_silent_and_reads_on() {
    run(async {
        let readers = VirtualReaders::new();
        readers.plug(ACR122U, None);
        let mut bench = Bench::with(readers.clone(), Arc::new(readers));
        bench.ready().await;
        bench.desk.arm(true);
        for name in ["chip", "other"] {
            bench.readers.insert(ACR122U, bench.practice.card(name, None));
            let tap = bench.identified().await;
            bench.signs(tap).await;
            bench.desk.signal(Moment::Accept);
            bench.readers.remove(ACR122U);
            bench.removed(tap).await;
        }
        bench.silence().await;
    });
}

/// Readers whose commands to themselves never come back.
struct Deaf(VirtualReaders);

struct DeafReader(Box<dyn CardReader>);

/// How often a deaf reader was spoken to.
static SPOKEN_TO: AtomicUsize = AtomicUsize::new(0);

impl CardReaderFactory for Deaf {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        Ok(Box::new(DeafReader(self.0.open()?)))
    }

    fn simulated(&self) -> bool {
        true
    }
}

impl CardReader for DeafReader {
    fn wait(&mut self, limit: Duration) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.0.wait(limit)
    }

    fn connect(&mut self, slot: &SlotName) -> Result<Box<dyn CardChannel + '_>, ChannelError> {
        self.0.connect(slot)
    }

    fn identity(&mut self, slot: &SlotName) -> ReaderIdentity {
        self.0.identity(slot)
    }

    fn escape(&mut self, _: &SlotName, _: EscapeWay, _: &[u8]) -> Option<Vec<u8>> {
        SPOKEN_TO.fetch_add(1, Ordering::Relaxed);
        loop {
            std::thread::park();
        }
    }

    fn canceller(&self) -> Box<dyn CancelWait> {
        self.0.canceller()
    }
}

/// A signal that hangs costs one thread once, by a bound of its own, and no booking. Fault 15.
#[test]
fn a_signal_that_hangs_is_given_up_once_and_cards_are_read_on() {
    run(async {
        let readers = VirtualReaders::new();
        readers.plug(ACR122U, None);
        let mut bench = Bench::with(readers.clone(), Arc::new(Deaf(readers)));
        bench.ready().await;
        bench.desk.arm(true);
        bench.readers.insert(ACR122U, bench.practice.card("chip", None));
        let tap = bench.identified().await;
        bench.signs(tap).await;
        bench.desk.signal(Moment::Accept);
        let asked = async {
            while SPOKEN_TO.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(BOUND, asked).await.is_ok());
        bench.clock.advance(Duration::from_secs(3));
        assert_eq!(bench.state().await, ReaderState::Stuck);
        bench.ready().await;
        // The thread that follows meets the card as a new one, and no longer signals.
        let tap = bench.identified().await;
        bench.signs(tap).await;
        bench.desk.signal(Moment::Accept);
        bench.readers.remove(ACR122U);
        bench.removed(tap).await;
        bench.silence().await;
        assert_eq!(SPOKEN_TO.load(Ordering::Relaxed), 1);
    });
}

/// Issue 4: the model is told by USB id and firmware where the driver tells them, whatever the name says. Fault 16.
#[test]
fn firmware_decides_between_profiles_of_one_model() {
    let acr122u = Some((0x072F, 0x2200));
    let cases = [
        (acr122u, Some(0x0203), "ACS ACR122U PICC Interface", "ACS ACR122U (old firmware)"),
        (acr122u, Some(0x0214), "ACS ACR122U PICC Interface", "ACS ACR122U"),
        (acr122u, None, "Renamed by its driver", "ACS ACR122U"),
        (Some((0x076B, 0x5022)), Some(0x0100), "ACS ACR122U PICC Interface", "HID OMNIKEY 5022"),
    ];
    for (usb, bcd_device, name, title) in cases {
        run(async {
            let readers = VirtualReaders::new();
            let identity = ReaderIdentity { usb, bcd_device, firmware_text: None };
            readers.plug_model(&format!("{name} 00 00"), identity, &[]);
            let mut bench = Bench::with(readers.clone(), Arc::new(readers));
            let told = bench.named_state().await;
            assert_eq!(told, (ReaderState::Ready, Some(title.to_owned())), "{usb:04X?} {bcd_device:04X?} {name}");
            bench.listening.desk.stop();
        });
    }
}
