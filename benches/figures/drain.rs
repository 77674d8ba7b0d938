//! P5: real taps made while the account was away, delivered by the real program over TLS; over a good line and a poor one,
//! and with children who go on tapping meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use teilhabe_terminal::terminal::screen::ResultClass;

use crate::{
    desk::Desk,
    line::{Line, Shape},
    program::Program,
    report::{Figure, Taken, rank_ms},
    stack::Pcscd,
    state::{Office, Scale, Site},
};

/// 10 Mbit/s and 50 ms round trip.
const POOR: Shape = Shape { bits: 10_000_000, delay: Duration::from_millis(25) };
const POOR_LIMIT_S: f64 = 12.0;
/// What the specification gives that limit for.
const RECORDS: f64 = 10_000.0;

/// How a queue was emptied.
struct Drained {
    records: u64,
    /// From the first sign of the queue to its end, greeting included.
    time: Duration,
    /// Until the first batch was answered: greeting and documents included.
    first: Duration,
    /// Without the first batch, which came with the greeting.
    after_first: Option<f64>,
    peak_mb: f64,
}

impl Drained {
    fn rate(&self) -> f64 {
        self.records as f64 / self.time.as_secs_f64()
    }
}

/// P5, on an account of its own, which needs more cards than a site has.
pub fn drain(pcscd: &Pcscd, scale: Scale) -> Taken<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let cards = 2 * scale.drained + scale.drained / 2 + 600;
    let mut office = Office::open(folder.path(), Scale { cards, ..scale });
    let site = Site::enrol(&folder.path().join("terminal"), &office, pcscd, 0);
    site.settle_in(&mut office);
    let booked = |office: &Office| office.account.bookings().iter().filter(|b| b["outcome"] == "booked").count();

    let before = booked(&office);
    office.account.kill();
    queue(&site, &mut office, scale.drained)?;
    office.account.restart();
    let good = emptied(&site, pcscd)?;
    let newly = booked(&office) - before;

    office.account.kill();
    queue(&site, &mut office, scale.drained / 2)?;
    office.account.restart();
    let meanwhile = tapping(&site, &mut office)?;

    office.account.kill();
    queue(&site, &mut office, scale.drained)?;
    let (was, is) = office.account.move_away();
    let _line = Line::between(&was, &is, POOR, |_, _| {});
    let poor = emptied(&site, pcscd)?;
    let poor_s = poor.time.as_secs_f64() * RECORDS / poor.records as f64;

    let value = good.rate();
    let tap_p99 = rank_ms(&meanwhile, 0.99);
    Ok(Figure {
        key: "P5",
        what: "drain over TLS to teilhabe-konto, greeting included",
        value,
        unit: "records/s",
        target: ">= 3000 records/s with two cores for both sides; 10,000 in 12 s over a poor line; taps p99 <= 10 ms"
            .to_owned(),
        floor: None,
        met: value >= 3000.0 && poor_s <= POOR_LIMIT_S && tap_p99 <= 10.0 && newly as u64 >= good.records,
        more: json!({ "records": good.records, "first_batch_s": good.first.as_secs_f64(), "after_first_batch": good.after_first, "newly_booked": newly,
                      "peak_mb": good.peak_mb,
                      "poor_line": { "records": poor.records, "seconds": poor.time.as_secs_f64(), "seconds_for_10000": poor_s },
                      "taps_meanwhile": { "taps": meanwhile.len(), "p50": rank_ms(&meanwhile, 0.5), "p99": tap_p99 } }),
    })
}

/// So many children while the account is away.
pub fn queue(site: &Site, office: &mut Office, taps: u32) -> Taken<()> {
    let desk = Desk::open(site);
    for _ in 0..taps {
        let tap = desk.tap(office.card());
        if tap.class != Some(ResultClass::R2) {
            return Err(format!("a tap came to {:?} ({:?}), not R2", tap.class, tap.reason));
        }
    }
    Ok(())
}

/// The real program, until nothing waits.
fn emptied(site: &Site, pcscd: &Pcscd) -> Taken<Drained> {
    let program = Program::start(site, pcscd, None);
    let waiting = |line: &Value| line["waiting"]["records"].as_u64();
    let (begin, first) = program.wait("a queue", |line| waiting(line).is_some_and(|n| n > 0))?;
    let records = waiting(&first).unwrap_or_default();
    let (under_way, later) = program.wait("a shorter queue", |line| waiting(line).is_some_and(|n| n < records))?;
    let left = waiting(&later).unwrap_or_default();
    let end = match left {
        0 => under_way,
        _ => program.wait("an empty queue", |line| waiting(line) == Some(0))?.0,
    };
    let peak_mb = program.peak_mb();
    program.stop();
    let after_first = (left > 0).then(|| left as f64 / (end - under_way).as_secs_f64());
    Ok(Drained { records, time: end - begin, first: under_way - begin, after_first, peak_mb })
}

/// Shares of taps while the queue is being emptied.
fn tapping(site: &Site, office: &mut Office) -> Taken<Vec<Duration>> {
    let desk = Desk::open(site);
    let mut shares = Vec::new();
    loop {
        let tap = desk.tap(office.card());
        if !matches!(tap.class, Some(ResultClass::R1 | ResultClass::R2)) {
            return Err(format!("a tap came to {:?} ({:?})", tap.class, tap.reason));
        }
        if tap.waiting <= 1 || shares.len() >= 500 {
            break;
        }
        shares.push(tap.share);
    }
    if shares.is_empty() { Err("the queue was empty before a child came".into()) } else { Ok(shares) }
}
