//! One tap after the other without end: random cards, right and wrong, in the two slots of a real service, and a watch on
//! what the terminal's process takes.
#![allow(clippy::disallowed_methods, reason = "real programs are waited for by the real clock")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use teilhabe_terminal::{app::limits, sim::Fault};

use super::{
    deck::{Deck, Laid},
    dice::Dice,
    stack::{Account, Pcscd, Terminal, eventually},
};

/// A card that says nothing is given up after 8 s; nothing takes longer.
const ONE_TAP: Duration = Duration::from_secs(20);
/// The service looks every 400 ms whether a card has left a slot.
const LOOK: Duration = Duration::from_millis(450);
/// Samples of the process.
const SAMPLES: u32 = 20;

/// What a presence must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A new record, green.
    Green,
    /// Nothing new is booked; which picture says so is another test's business.
    Nothing,
}

/// What the process takes between two taps.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Taps before it.
    pub taps: u32,
    /// Resident memory.
    pub kilobytes: u64,
    /// The journal with its log. Its pages are cached, up to the cache's bound: that much memory is no growth.
    pub journal: u64,
    /// Threads.
    ///
    /// Those for work that blocks are not among them: two such works at once make one more, which stays as long as there
    /// is work, and their number has a bound of its own.
    pub threads: usize,
    /// Open files, sockets and the like.
    pub handles: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Presences by kind and picture.
    pub seen: BTreeMap<String, u32>,
    /// Everything that was not as it should be.
    pub wrong: Vec<String>,
    /// The process, over time.
    pub samples: Vec<Sample>,
    /// New green records.
    pub green: usize,
    /// Records the account has booked.
    pub booked: usize,
    /// From the first tap to the last.
    pub took: Duration,
}

impl Tally {
    /// Growth of kilobytes, threads and handles from the first third to the last, by medians; the first sample is left out,
    /// and the memory by which the journal grew, since that is its cache.
    pub fn growth(&self) -> (i64, i64, i64) {
        let third = (self.samples.len() / 3).max(1);
        let of = |pick: &dyn Fn(&Sample) -> u64| {
            let median = |part: &[Sample]| {
                let mut values: Vec<u64> = part.iter().map(pick).collect();
                values.sort_unstable();
                values[values.len() / 2].cast_signed()
            };
            let later = &self.samples[1..];
            median(&later[later.len() - third..]) - median(&later[..third])
        };
        (of(&|s| s.kilobytes) - of(&|s| s.journal), of(&|s| s.threads as u64), of(&|s| s.handles as u64))
    }

    /// For a report.
    pub fn json(&self) -> Value {
        let (kilobytes, threads, handles) = self.growth();
        let ends = [self.samples.first(), self.samples.last()];
        let ends = ends.map(|s| {
            s.map(|s| json!({ "taps": s.taps, "kB": s.kilobytes, "journal_kB": s.journal, "threads": s.threads, "handles": s.handles }))
        });
        json!({ "seen": self.seen, "wrong": self.wrong, "green": self.green, "booked": self.booked,
                "growth": { "kB": kilobytes, "threads": threads, "handles": handles }, "first_and_last": ends,
                "seconds": self.took.as_secs() })
    }
}

/// A tap that is to come: what it is called, how it is made.
struct Plan {
    name: String,
    expected: Expected,
    cti: Option<[u8; 16]>,
    fault: Option<Fault>,
    demo: Option<&'static str>,
}

/// Faults by name, with what a fresh and valid card that has them comes to.
const FAULTS: [(&str, Expected); 17] = [
    ("slow=40", Expected::Green),
    ("garbage-atr", Expected::Green),
    ("wrong-signature", Expected::Nothing),
    ("expired", Expected::Nothing),
    ("unknown-issuer", Expected::Nothing),
    ("old-certificate", Expected::Nothing),
    ("copied", Expected::Nothing),
    ("replay", Expected::Nothing),
    ("short-answer", Expected::Nothing),
    ("endless-61", Expected::Nothing),
    ("wrong-status=6F00", Expected::Nothing),
    ("wrong-status=6A82@2", Expected::Nothing),
    ("tear-at=0", Expected::Nothing),
    ("tear-at=1", Expected::Nothing),
    ("tear-at=3", Expected::Nothing),
    ("random-uid", Expected::Nothing),
    ("two-cards", Expected::Nothing),
];
/// It takes eight seconds, so it comes seldom.
const MUTE: &str = "mute";

/// That many taps, on an account, a service and a terminal of its own in `folder`.
pub fn campaign(folder: &Path, seed: u64, taps: u32) -> Tally {
    let (account, mut deck) = Deck::open(folder, taps + 8);
    let pcscd = Pcscd::start();
    let mut terminal = Terminal::start(&folder.join("terminal"), &pcscd);
    terminal.enrol(&account.activation("lane", 0));
    terminal.command(json!({"command": "choose_offer", "offer": "lunch"}));
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    let mut green = BTreeSet::new();
    let mut served: Vec<[u8; 16]> = Vec::new();
    let begin = Instant::now();
    let mut left = [begin; 2];
    for tap in 0..taps {
        if tap % (taps / SAMPLES).max(1) == 0 {
            tally.samples.push(sample(&terminal, tap));
        }
        let plan = plan(&mut dice, &mut deck, &served);
        let slot = usize::try_from(tap % 2).unwrap();
        std::thread::sleep((left[slot] + LOOK).saturating_duration_since(Instant::now()));
        let card = match (plan.cti, plan.demo) {
            (Some(cti), _) => deck.card(cti, plan.fault),
            (None, name) => deck.named(name.expect("a card has a number or a name"), plan.fault),
        };
        let fresh = present(&mut terminal, &pcscd, slot, card, &plan, &mut green, &mut tally);
        left[slot] = Instant::now();
        if let (Some(cti), true) = (plan.cti, fresh) {
            served.push(cti);
        }
        let kept = plan.expected == Expected::Nothing || fresh;
        if !kept || (plan.expected == Expected::Nothing && fresh) {
            tally.wrong.push(format!("tap {tap}, {}: booked {fresh}; {}", plan.name, terminal.now));
        }
    }
    tally.samples.push(sample(&terminal, taps));
    tally.took = begin.elapsed();
    // The last tap's record may not have left yet, and no picture has said so.
    eventually("everything is with the account", || account.bookings().len() >= green.len());
    assert_eq!(terminal.stop(), 0, "it stops in order");
    count(&account, &green, &mut tally);
    tally
}

fn plan(dice: &mut Dice, deck: &mut Deck, served: &[[u8; 16]]) -> Plan {
    let plain = |name: &str, expected, cti| Plan { name: name.to_owned(), expected, cti, fault: None, demo: None };
    match dice.within(0..100) {
        0 => Plan { fault: Some(MUTE.parse().unwrap()), ..plain(MUTE, Expected::Nothing, Some(deck.draw())) },
        1..45 => plain("fresh", Expected::Green, Some(deck.draw())),
        // Not one that was here just now: that one may be taken for a phone that flaps.
        45..57 if served.len() > 4 => plain("again", Expected::Nothing, Some(*dice.pick(&served[..served.len() - 4]))),
        45..62 => Plan { demo: Some("neutral-01"), ..plain("neutral", Expected::Nothing, None) },
        _ => {
            let (name, expected) = *dice.pick(&FAULTS);
            Plan { fault: Some(name.parse().unwrap()), ..plain(name, expected, Some(deck.draw())) }
        }
    }
}

/// Lays a card on until its result stands; true if a record came of it that was not there before.
fn present(
    terminal: &mut Terminal,
    pcscd: &Pcscd,
    slot: usize,
    card: teilhabe_terminal::sim::VirtualCard,
    plan: &Plan,
    green: &mut BTreeSet<String>,
    tally: &mut Tally,
) -> bool {
    // What was said about the tap before is no answer to this one.
    while terminal.next(Duration::ZERO).is_some() {}
    let laid = Laid::on(pcscd, u16::try_from(slot).unwrap(), card);
    let end = Instant::now() + ONE_TAP;
    let (mut read, mut fresh) = (false, false);
    let picture = loop {
        let Some(line) = terminal.next(end.saturating_duration_since(Instant::now())) else {
            tally.wrong.push(format!("{}: no result; {}", plan.name, terminal.now));
            break "nothing".to_owned();
        };
        let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
        if matches!(word("screen").as_str(), "out_of_service" | "starting") {
            tally.wrong.push(format!("{}: {line}", plan.name));
        }
        // The result of the tap before may be told once more, when its answer comes.
        read |= line["screen"] == "reading";
        if line["screen"] == "result" && read {
            if let Some(record) = line["record"].as_str() {
                fresh |= matches!(line["class"].as_str(), Some("R1" | "R2")) && green.insert(record.to_owned());
            }
            // After a card that hung, the reader's new thread may first tell that this one has gone.
            if plan.expected == Expected::Nothing || fresh {
                break format!("{} {}", word("class"), word("reason"));
            }
        }
    };
    drop(laid);
    *tally.seen.entry(format!("{}: {picture}", plan.name)).or_default() += 1;
    fresh
}

fn sample(terminal: &Terminal, taps: u32) -> Sample {
    // Nothing lies on a reader; the last result may still stand.
    assert_ne!(terminal.now["screen"], "reading", "{}", terminal.now);
    let process = Path::new("/proc").join(terminal.pid().to_string());
    let status = fs::read_to_string(process.join("status")).expect("the terminal lives");
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    let entries = |name: &str| fs::read_dir(process.join(name)).map_or(0, Iterator::count);
    let bytes = |name: &str| fs::metadata(terminal.data().join(name)).map_or(0, |file| file.len());
    let journal = (bytes("journal.sqlite") + bytes("journal.sqlite-wal")) / 1024;
    let names = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let names = names.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let (blocking, threads): (Vec<_>, Vec<_>) = names.partition(|name| name.trim_end() == limits::BLOCKING_NAME);
    assert!(blocking.len() <= limits::BLOCKING_THREADS, "{} threads for what blocks", blocking.len());
    Sample { taps, kilobytes: kilobytes.unwrap(), journal, threads: threads.len(), handles: entries("fd") }
}

fn count(account: &Account, green: &BTreeSet<String>, tally: &mut Tally) {
    let mut booked = BTreeSet::new();
    for booking in account.bookings() {
        if booking["outcome"] != "booked" || !booked.insert(booking["record"].as_str().unwrap().to_owned()) {
            tally.wrong.push(format!("refused or twice: {booking}"));
        }
    }
    (tally.green, tally.booked) = (green.len(), booked.len());
    tally
        .wrong
        .extend(green.symmetric_difference(&booked).map(|record| format!("green or booked, not both: {record}")));
}
