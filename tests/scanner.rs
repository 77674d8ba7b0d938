//! A scanner that belongs to the terminal alone (card-application, 2.2; fault 23): from keys to codes, through half
//! codes, held keys and a cable that is pulled.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use jiff::Timestamp;
use support::{
    desk::{BOUND, run},
    practice::NOW,
};
use teilhabe_terminal::{
    app::scanner_thread::{ScannerDesk, ScannerParts},
    card::code::{SELF_TEST, self_test},
    domain::reading::ScannerTest,
    ports::{KeyEvent, ScannerDevice, ScannerError, ScannerFactory},
    scanner::Layout,
    sim::ManualClock,
    terminal::{command::OperatorCommand, input::Input, screen::ScannerState},
};
use tokio::{sync::mpsc, time::timeout};

/// A cable: what is plugged in next, or why nothing is.
struct Cable(Mutex<Receiver<Result<Receiver<Vec<KeyEvent>>, ScannerError>>>);

struct Plugged(Receiver<Vec<KeyEvent>>);

impl ScannerFactory for Cable {
    fn open(&self) -> Result<Box<dyn ScannerDevice>, ScannerError> {
        let next = self.0.lock().unwrap().recv().unwrap_or(Err(ScannerError::Missing));
        Ok(Box::new(Plugged(next?)))
    }
}

impl ScannerDevice for Plugged {
    fn keys(&mut self) -> Result<Vec<KeyEvent>, ScannerError> {
        self.0.recv().map_err(|_| ScannerError::Missing)
    }
}

/// A terminal's side of it.
struct Bench {
    cable: Sender<Result<Receiver<Vec<KeyEvent>>, ScannerError>>,
    clock: Arc<ManualClock>,
    heard: mpsc::UnboundedReceiver<Input>,
    desk: ScannerDesk,
}

impl Bench {
    fn new(layout: Layout) -> Self {
        let (cable, end) = channel();
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(NOW).unwrap()));
        let (posts, heard) = mpsc::unbounded_channel();
        let factory = Arc::new(Cable(Mutex::new(end)));
        let desk = ScannerDesk::start(ScannerParts { factory, layout, clock: Arc::clone(&clock) as Arc<_>, posts });
        Self { cable, clock, heard, desk }
    }

    /// Plugs a scanner in; what is sent there is typed, and dropping it pulls the cable.
    async fn plug(&mut self) -> Sender<Vec<KeyEvent>> {
        let (keys, device) = channel();
        self.cable.send(Ok(device)).unwrap();
        assert_eq!(self.state().await, ScannerState::Ready);
        keys
    }

    async fn hear(&mut self) -> Input {
        timeout(BOUND, self.heard.recv()).await.expect("nothing came in time").unwrap()
    }

    async fn state(&mut self) -> ScannerState {
        match self.hear().await {
            Input::Scanner { state } => state,
            other => panic!("{other:?}"),
        }
    }

    async fn code(&mut self) -> String {
        match self.hear().await {
            Input::Command(OperatorCommand::Scan { code }) => code,
            other => panic!("{other:?}"),
        }
    }
}

const ENTER: u16 = 28;
const SHIFT: u16 = 42;

/// The keys an American scanner sends for a text: capitals with Shift.
fn keys(text: &str) -> Vec<KeyEvent> {
    const PLACES: [(u16, &str); 4] = [(2, "1234567890"), (16, "QWERTYUIOP"), (30, "ASDFGHJKL"), (44, "ZXCVBNM")];
    let event = |code, value| KeyEvent { code, value };
    let tap = |code| [event(code, 1), event(code, 0)];
    let mut keys = Vec::new();
    for character in text.chars() {
        let place = PLACES.iter().find_map(|(first, row)| Some(first + row.find(character)? as u16));
        match place {
            None => keys.extend(tap(ENTER)),
            Some(code) if character.is_ascii_uppercase() => {
                keys.push(event(SHIFT, 1));
                keys.extend(tap(code));
                keys.push(event(SHIFT, 0));
            }
            Some(code) => keys.extend(tap(code)),
        }
    }
    keys
}

#[test]
fn codes_come_whole_and_in_order() {
    run(async {
        let mut bench = Bench::new(Layout::Us);
        let scanner = bench.plug().await;
        // As the kernel delivers them: a few keys at a time, two codes in one delivery.
        for some in keys("BIKN1123456789012\nBIKS1QA25\n\nBIKD").chunks(7) {
            scanner.send(some.to_vec()).unwrap();
        }
        assert_eq!(bench.code().await, "BIKN1123456789012");
        assert_eq!(bench.code().await, "BIKS1QA25");
        // The second burst of the same code.
        scanner.send(keys("1GC0\n")).unwrap();
        assert_eq!(bench.code().await, "BIKD1GC0");
        bench.desk.stop();
    });
}

/// Fault 23: a scanner that is set to send nothing at the end of a code.
#[test]
fn a_scanner_without_enter_is_understood_by_its_silence() {
    run(async {
        let mut bench = Bench::new(Layout::Us);
        let scanner = bench.plug().await;
        scanner.send(keys("BIKN1123")).unwrap();
        let early = timeout(Duration::from_millis(300), bench.heard.recv()).await;
        assert!(early.is_err(), "{early:?}");
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(bench.code().await, "BIKN1123");
        bench.desk.stop();
    });
}

/// Issue 4: hot-plug. Half a code and a Shift that was held go with the scanner.
#[test]
fn a_scanner_that_is_pulled_out_is_found_again_and_leaves_no_half_code() {
    run(async {
        let mut bench = Bench::new(Layout::Us);
        bench.cable.send(Err(ScannerError::Denied)).unwrap();
        assert_eq!(bench.state().await, ScannerState::Denied);
        let scanner = bench.plug().await;
        let mut half = keys("BIKN1999");
        half.push(KeyEvent { code: SHIFT, value: 1 });
        scanner.send(half).unwrap();
        drop(scanner);
        assert_eq!(bench.state().await, ScannerState::Missing);
        bench.cable.send(Err(ScannerError::Missing)).unwrap();
        let scanner = bench.plug().await;
        scanner.send(keys("123456789012\n")).unwrap();
        assert_eq!(bench.code().await, "123456789012");
        bench.desk.stop();
    });
}

/// Fault 23: wrong layout, Caps Lock and what scanners put around a code, shown by the self-test.
#[test]
fn the_self_test_shows_what_is_wrong_with_a_scanner() {
    let lower = SELF_TEST.to_lowercase();
    let cases = [
        (SELF_TEST.to_owned(), Some(ScannerTest::Good)),
        (lower, Some(ScannerTest::Good)),
        (format!("]Q1{SELF_TEST}\r\n"), Some(ScannerTest::Good)),
        (format!("\u{2}{SELF_TEST}\u{3}"), Some(ScannerTest::Good)),
        (SELF_TEST.replace("YZ", "ZY"), Some(ScannerTest::SwappedYz)),
        // French: digits are signs without Shift, A and Q have changed places.
        ("BIKT&à&é\"'(-è_çQBCDEFGHIJKL?NOPARSTUVZXYW".to_owned(), Some(ScannerTest::Garbled)),
        (SELF_TEST[..20].to_owned(), Some(ScannerTest::Garbled)),
        (SELF_TEST.repeat(2), Some(ScannerTest::Garbled)),
        ("BIKN1123456789012".to_owned(), None),
        ("BIKT".to_owned(), None),
        (String::new(), None),
        ("https://example.org/BIKT1".to_owned(), None),
    ];
    for (text, expected) in cases {
        assert_eq!(self_test(&text), expected, "{text:?}");
    }
    run(async {
        for (layout, expected) in [(Layout::Us, ScannerTest::Good), (Layout::De, ScannerTest::SwappedYz)] {
            let mut bench = Bench::new(layout);
            let scanner = bench.plug().await;
            scanner.send(keys(&format!("{SELF_TEST}\n"))).unwrap();
            assert_eq!(self_test(&bench.code().await), Some(expected), "{layout:?}");
            bench.desk.stop();
        }
    });
}
