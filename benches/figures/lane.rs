//! The lane at its busiest: thirty children a minute, with the real window, through the real service to the account, with
//! cards that take as long as real ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    deck::Laid,
    pace::Pace,
    program::{Display, Program},
    report::{Figure, Taken, rank_ms},
    stack::Pcscd,
    state::{Office, Site},
};

/// From one child to the next.
const EVERY: Duration = Duration::from_secs(2);
/// A child takes its card away so long after it saw its picture.
const HAND: Duration = Duration::from_millis(200);
/// A card that was not served by then is taken away all the same.
const PATIENCE: Duration = Duration::from_millis(1700);
/// One frame at 60 Hz.
const FRAME_MS: f64 = 1000.0 / 60.0;
/// The service looks every 400 ms; what a card waits beyond that, and the time of its power-on, was not the service.
const LOOK_MS: f64 = 500.0;

/// The times of one child.
#[derive(Default)]
struct Child {
    /// From laying the card on to the first command it gets.
    to_card: Duration,
    /// From the first command to green, without the time of the card.
    to_green: Duration,
}

/// What the card met.
#[derive(Clone, Copy, Default)]
struct Heard {
    first: Option<Instant>,
    /// Its own time.
    took: Duration,
}

/// `taps` children, one every two seconds.
pub fn lane(site: &Site, office: &mut Office, pcscd: &Pcscd, taps: u32) -> Taken<Figure> {
    // What is drawn is learned from the log: each input of the driver stands in it with its time.
    let config = "offer = \"lunch\"\n\n[log]\nlevel = \"debug\"\n";
    fs::write(&site.config_file, config).map_err(|error| error.to_string())?;
    let display = Display::start();
    let program = Program::logged(site, pcscd, display.as_ref().map(|display| display.name.as_str()));
    program.ready()?;
    let (mut children, mut missed) = (Vec::new(), 0);
    let (mut records, mut log) = (BTreeSet::new(), Vec::new());
    let memory = program.resident_mb();
    let first = Instant::now();
    for number in 0..taps {
        thread::sleep((first + EVERY * number).saturating_duration_since(Instant::now()));
        match one(&program, office, pcscd, &mut records) {
            Some(child) => children.push(child),
            None => missed += 1,
        }
        log.extend(program.log());
    }
    program.wait("everything sent", |line| line["waiting"]["records"] == 0)?;
    log.extend(program.log());
    let grown = program.resident_mb() - memory;
    drop(program);
    let lunches = lunches(office);
    let doubled = lunches.values().filter(|records| records.len() > 1).count();
    let booked = lunches.values().flatten().filter(|record| records.contains(*record)).count();
    let frames = frames(&log);
    if frames.is_empty() || children.is_empty() {
        return Err(format!("no picture was drawn; {missed} of {taps} missed"));
    }
    let column = |of: fn(&Child) -> Duration| children.iter().map(of).collect::<Vec<_>>();
    let (card, green) = (column(|c| c.to_card), column(|c| c.to_green));
    let worst = rank_ms(&frames, 1.0);
    let as_many = booked == records.len() && records.len() == taps as usize;
    Ok(Figure {
        key: "lane",
        what: "30 taps a minute, cards as slow as real ones, window under Xvfb: commit to green on the screen, worst",
        value: worst,
        unit: "ms",
        target: "<= 16.7 ms; none missed, none doubled, no child waits for a picture".to_owned(),
        floor: None,
        met: display.is_some()
            && missed == 0
            && doubled == 0
            && as_many
            && worst <= FRAME_MS
            && rank_ms(&card, 1.0) <= LOOK_MS,
        more: json!({ "taps": taps, "missed": missed, "doubled": doubled, "booked": booked, "window": display.is_some(),
                      "drawn": frames.len(), "commit_to_drawn_p50": rank_ms(&frames, 0.5), "p99": rank_ms(&frames, 0.99),
                      "within_a_frame": frames.iter().filter(|frame| frame.as_secs_f64() * 1000.0 <= FRAME_MS).count(),
                      "laid_on_to_first_command": { "p50": rank_ms(&card, 0.5), "max": rank_ms(&card, 1.0) },
                      "first_command_to_green_beyond_the_card": { "p50": rank_ms(&green, 0.5), "max": rank_ms(&green, 1.0) },
                      "memory_grown_mb": grown, "seconds": first.elapsed().as_secs() }),
    })
}

fn one(program: &Program, office: &mut Office, pcscd: &Pcscd, records: &mut BTreeSet<String>) -> Option<Child> {
    let heard = Arc::<Mutex<Heard>>::default();
    let hears = Arc::clone(&heard);
    let card = office.card().witnessed(move |command| {
        let rest = {
            let mut heard = hears.lock().unwrap_or_else(PoisonError::into_inner);
            let power = if heard.first.is_none() { Pace::REAL.power } else { Duration::ZERO };
            heard.first.get_or_insert_with(Instant::now);
            let rest = power + Pace::REAL.of(command);
            heard.took += rest;
            rest
        };
        thread::sleep(rest);
    });
    while program.next(Duration::ZERO).is_some() {}
    let laid_at = Instant::now();
    let laid = Laid::on(pcscd, 0, card);
    let end = laid_at + PATIENCE;
    let mut child = None;
    while let Some((at, line)) = program.next(end.saturating_duration_since(Instant::now())) {
        let green = line["screen"] == "result" && matches!(line["class"].as_str(), Some("R1" | "R2"));
        let Some(record) = line["record"].as_str().filter(|_| green) else { continue };
        let Heard { first, took } = *heard.lock().unwrap_or_else(PoisonError::into_inner);
        // The picture of the child before may still be told once more.
        let Some(first) = first.filter(|first| *first < at) else { continue };
        if records.insert(record.to_owned()) {
            child = Some(Child { to_card: first - laid_at, to_green: (at - first).saturating_sub(took) });
            break;
        }
    }
    thread::sleep(HAND);
    drop(laid);
    child
}

/// Records of lunches by child.
fn lunches(office: &Office) -> BTreeMap<String, Vec<String>> {
    let mut lunches = BTreeMap::<_, Vec<_>>::new();
    for booking in office.account.bookings().iter().filter(|booking| booking["outcome"] == "booked") {
        let record = booking["record"].as_str().unwrap_or_default().to_owned();
        lunches.entry(booking["child"].to_string()).or_default().push(record);
    }
    lunches
}

/// From `Committed` to `Shown`, which the window reports after the frame with the green field went to the window system.
fn frames(log: &[String]) -> Vec<Duration> {
    let mut committed = BTreeMap::<String, Timestamp>::new();
    let mut frames = Vec::new();
    for line in log {
        let Some((time, rest)) = line.split_once(' ') else { continue };
        let Ok(time) = time.parse::<Timestamp>() else { continue };
        if let Some(record) = named(rest, "input=Committed { record: ") {
            committed.insert(record, time);
        } else if let Some(record) = named(rest, "input=Shown { record: ")
            && let Some(begin) = committed.remove(&record)
        {
            frames.push(Duration::try_from(time.duration_since(begin)).unwrap_or_default());
        }
    }
    frames
}

fn named(line: &str, what: &str) -> Option<String> {
    let rest = &line[line.find(what)? + what.len()..];
    rest.find([',', ' ']).map(|end| rest[..end].to_owned())
}
