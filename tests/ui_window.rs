//! The real window: the real program on a real X server, with a real pcscd and a virtual card. What it shows is taken from
//! the server's own glass, its keys and its frame are used as a hand would.
#![cfg(all(feature = "gui", feature = "demo", feature = "pcsc"))]
#![allow(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

#[allow(dead_code, reason = "other tests take other parts")]
#[path = "support/stack.rs"]
mod stack;
#[path = "support/xvfb.rs"]
mod xvfb;

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;
use stack::{Account, Card, Pcscd, Terminal, eventually};
use xvfb::{Display, Glass, key};

/// Field of the result at 1280 × 800, well inside its edges.
const FIELD: (usize, usize, usize, usize) = (10, 120, 800, 720);
/// Beside it: counters and the last five.
const PANEL: (usize, usize, usize, usize) = (850, 120, 1270, 790);
const PAGE: [u8; 3] = [0xF4, 0xF6, 0xF8];
const BOOKED: [u8; 3] = [0x2F, 0xD0, 0xA0];
const ALREADY: [u8; 3] = [0xFF, 0xC7, 0x2C];
const REFUSED: [u8; 3] = [0x8E, 0x00, 0x18];
const INK: [u8; 3] = [0x10, 0x18, 0x20];
const WHITE: [u8; 3] = [0xFF, 0xFF, 0xFF];

struct Lane {
    terminal: Terminal,
    display: Display,
    pcscd: Pcscd,
    account: Account,
    _dir: tempfile::TempDir,
}

impl Lane {
    /// A terminal that was enrolled without its window, and now has one.
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let account = Account::start(dir.path());
        let pcscd = Pcscd::start();
        let display = Display::start(1280, 800);
        let data: PathBuf = dir.path().join("terminal");
        let mut terminal = Terminal::start(&data, &pcscd);
        terminal.enrol(&account.activation("lane", 0));
        assert_eq!(terminal.stop(), 0);
        let terminal = Terminal::start_window(&data, &pcscd, &display.name());
        let mut lane = Self { terminal, display, pcscd, account, _dir: dir };
        lane.ready();
        lane
    }

    fn ready(&mut self) {
        self.terminal.ready();
        self.seen("the ready page", |glass| glass.share(FIELD, PAGE) > 0.6);
        let window = self.window();
        self.display.focus(window);
    }

    /// Waits until a page stands where lane and panel were: keys belong to what is seen.
    fn paged(&mut self) {
        self.seen("a page", |glass| glass.share(PANEL, PAGE) > 0.5);
    }

    fn window(&mut self) -> u32 {
        let mut window = None;
        eventually("a window", || {
            window = self.display.window();
            window.is_some()
        });
        window.unwrap()
    }

    /// Waits until the glass shows it, and gives what it shows then.
    fn seen(&mut self, what: &str, mut fits: impl FnMut(&Glass) -> bool) -> Glass {
        let mut glass = self.display.look();
        eventually(what, || {
            glass = self.display.look();
            fits(&glass)
        });
        glass
    }

    fn lay(&self, card: &str, more: &[&str]) -> Card {
        Card::present(&self.account, &self.pcscd, card, more)
    }

    fn booked(&self, record: &str) -> usize {
        self.account.bookings().iter().filter(|b| b["record"] == record && b["outcome"] == "booked").count()
    }
}

#[test]
fn a_tap_is_green_on_the_glass_and_sent() {
    let mut lane = Lane::open();
    lane.display.look().save("window-ready");

    let card = lane.lay("lunch-01", &[]);
    let green = lane.terminal.result("R1");
    let record = green["record"].as_str().unwrap().to_owned();
    let glass = lane.seen("the green field", |glass| glass.share(FIELD, BOOKED) > 0.6);
    glass.save("window-booked");
    let ink = glass.share(FIELD, INK);
    assert!((0.05..0.35).contains(&ink), "circle and word stand on the green: {ink}");
    assert!(glass.share(PANEL, WHITE) > 0.6, "the panel beside it stays what it is");
    card.gone();

    eventually("booked in the account", || lane.booked(&record) == 1);
    lane.terminal.wait("sent", |line| line["waiting"]["records"] == 0);

    // After more than three seconds, a new look at the same card is no booking.
    lane.ready();
    let card = lane.lay("lunch-01", &[]);
    lane.terminal.result("R3");
    let glass = lane.seen("the yellow field", |glass| glass.share(FIELD, ALREADY) > 0.5);
    glass.save("window-already");
    assert_eq!(glass.share(FIELD, BOOKED), 0.0);
    card.gone();

    lane.ready();
    let card = lane.lay("locked-01", &[]);
    lane.terminal.result("R4");
    let glass = lane.seen("the red field", |glass| glass.share(FIELD, REFUSED) > 0.5);
    glass.save("window-refused");
    card.gone();
    assert_eq!(lane.account.bookings().len(), 1);

    // Its green was drawn, and that was told: nothing is unclear after kill -9.
    lane.terminal.restart();
    lane.ready();
    assert_eq!(lane.terminal.now["unclear"].as_array().map(Vec::len), Some(0), "{}", lane.terminal.now);
}

/// Fault 37: the window is closed while a card is read, decided and committed. The program ends in order each time, no
/// record is lost, none is doubled.
#[test]
fn a_window_closed_at_any_moment_of_a_tap_loses_nothing() {
    let mut lane = Lane::open();
    let mut told = BTreeSet::new();
    // Closed at the first sign of the card, and some steps of the tap later.
    for (n, steps) in [0, 1, 2, 3, 5, 8].into_iter().enumerate() {
        let window = lane.window();
        let card = lane.lay(&format!("lunch-{:02}", n + 2), &["--fault", "slow=10"]);
        lane.terminal.wait("the card is seen", |line| line["screen"] == "reading");
        // Looking at the whole glass takes some milliseconds: a step of the tap, more or less.
        for _ in 0..steps {
            lane.display.look();
        }
        lane.display.close(window);
        let (code, lines) = lane.terminal.ended();
        assert_eq!(code, 0, "it stopped in order");
        told.extend(lines.iter().filter(|line| line["screen"] == "result").filter_map(record));
        card.gone();
        lane.terminal.restart();
        lane.ready();
    }
    lane.terminal.wait_or_now("all sent", |line| line["waiting"]["records"] == 0);
    let booked: Vec<String> =
        lane.account.bookings().iter().map(|b| b["record"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<String> = booked.iter().cloned().collect();
    assert_eq!(booked.len(), distinct.len(), "none is doubled");
    assert!(told.is_subset(&distinct), "what was told is booked: {told:?} {distinct:?}");
}

/// Fault 37: the display goes away while a green stands on it. The program may end as it likes; the booking is there.
#[test]
fn a_display_that_goes_away_loses_nothing() {
    let mut lane = Lane::open();
    let card = lane.lay("lunch-09", &[]);
    let green = lane.terminal.result("R1");
    lane.display = Display::start(1280, 800);
    lane.terminal.ended();
    card.gone();
    lane.terminal.move_to(&lane.display.name());
    lane.ready();
    let record = green["record"].as_str().unwrap();
    eventually("booked in the account", || lane.booked(record) == 1);
    assert_eq!(lane.account.bookings().len(), 1);
}

fn record(line: &Value) -> Option<String> {
    line["record"].as_str().map(ToOwned::to_owned)
}

/// No display, or one that does not answer. Whoever starts the program reads what to do, in their language.
#[test]
fn without_a_display_the_program_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for (display, language, wanted) in [
        (None, "de", "Es gibt keinen Bildschirm"),
        (None, "en", "There is no display"),
        (Some(":4095"), "de", "Der Bildschirm antwortet nicht"),
    ] {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_teilhabe-terminal"));
        program.args(["--lang", language, "--data"]).arg(dir.path().join("terminal"));
        program.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("DISPLAY");
        if let Some(display) = display {
            program.env("DISPLAY", display);
        }
        let ended = program.output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(wanted) && said.contains("--headless"), "{said}");
        assert!(!said.contains("winit") && !said.contains("panicked") && said.lines().count() == 1, "{said}");
        assert!(!dir.path().join("terminal").exists(), "no data are made for a window that never opens");
    }
}

/// Everything a canteen does in a day without a finger on the glass.
#[test]
fn a_day_by_keyboard_alone() {
    let mut lane = Lane::open();
    let demo = lane.account.demo();
    let card = demo["cards"].as_array().unwrap().iter().find(|card| card["kind"] == "number").unwrap();
    let number: u64 = card["number"].as_str().unwrap().parse().unwrap();
    // ISO 7064, MOD 97-10.
    let digits = format!("{number}{:02}", 98 - number * 100 % 97);

    lane.display.press(key::F2);
    lane.terminal.screen("number");
    lane.paged();
    for digit in digits.chars() {
        lane.display.press(key::digit(digit));
    }
    lane.display.press(key::RETURN);
    let green = lane.terminal.wait("green", |line| line["class"] == "R1" || line["class"] == "R2");
    let record = green["record"].as_str().unwrap().to_owned();
    lane.seen("the green field", |glass| glass.share(FIELD, BOOKED) > 0.6).save("window-number");

    lane.display.press(key::F8);
    lane.terminal.wait("taken back", |line| line["reason"] == "reversed");
    lane.display.press(key::ESCAPE);
    lane.terminal.screen("ready");
    lane.seen("the ready page", |glass| glass.share(FIELD, PAGE) > 0.6);
    lane.display.press(key::F3);
    lane.terminal.screen("last_bookings");
    lane.paged();
    lane.display.press(key::ESCAPE);
    lane.terminal.screen("ready");
    lane.display.press(key::F4);
    lane.terminal.screen("queue");
    lane.paged();
    lane.display.press(key::F5);
    lane.terminal.screen("view");
    lane.display.press(key::ESCAPE);
    lane.terminal.wait("home again", |line| line["screen"] == "ready");
    eventually("taken back in the account", || {
        lane.account.bookings().iter().any(|b| b["record"] == record.as_str() && b["outcome"] == "reversed")
    });
    lane.account.admin(&["ledger", "check"]);
}
